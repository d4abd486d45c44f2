/** Checks manifests and personas offline: schema, rules, and admission over the files themselves. */
import { basename } from 'node:path'
import type { Problem } from '../manifest/problem.ts'
import { loadPersonas } from '../persona-folder.ts'
import type { Persona } from '../../protocol/persona.ts'
import { checkPersonas, parsePersona } from '../../protocol/persona-file.ts'
import { admitBatch } from './admit-batch.ts'
import { batchOf, storedForm, type Batch, type BatchItem } from './batch.ts'
import { builtinPlanObjects, currentFrom } from './offline.ts'
import { isManifestName, readSources, type Source } from './sources.ts'
import { builtinPersonasFolder } from './version.ts'

/** What an offline check found. */
export type Validation = {
  readonly problems: readonly Problem[]
  readonly objects: number
  readonly personas: number
  /** Tenants that are not among the files: what refers to them was checked by itself only. */
  readonly absentTenants: readonly string[]
}

/** What is checked offline. */
export type ValidateOptions = {
  readonly paths: readonly string[]
  readonly namespace?: string | undefined
  readonly nowMs: number
  readonly readStdin?: (() => Promise<string>) | undefined
}

/** Checks every file of the paths. Rejects with CliFailure BadInput when one cannot be read. */
export async function validatePaths(options: ValidateOptions): Promise<Validation> {
  const { paths, namespace, readStdin } = options
  const isWanted = (name: string): boolean => isManifestName(name) || /^[a-z0-9].*\.md$/.test(name)
  const sources = await readSources(paths, { readStdin, isWanted })
  const texts = sources.filter(({ file, text }) => !isPersona(file, text) && !file.endsWith('.md'))
  const personas = readPersonas(sources.filter(({ file, text }) => isPersona(file, text)))
  const batch = batchOf(texts, { namespace })
  const builtin = await loadPersonas(builtinPersonasFolder)
  const all = new Map([...builtin, ...personas.found])
  const handOffs = [...checkPersonas(all)].flatMap(([name, messages]) => {
    const file = personas.files.get(name)
    if (file === undefined) return []
    return messages.map((message) => ({ file, line: 1, column: 1, path: 'mayHandOffTo', message }))
  })
  const { problems, absentTenants } = await admitOffline(batch, new Set(all.keys()), options.nowMs)
  return {
    problems: inOrder([...personas.problems, ...handOffs, ...batch.problems, ...problems]),
    objects: batch.items.length,
    personas: personas.found.size,
    absentTenants,
  }
}

/** Markdown with front matter, as a persona is written; other Markdown is documentation. */
const isPersona = (file: string, text: string): boolean =>
  file.endsWith('.md') && (text.startsWith('---') || text.startsWith('\uFEFF---'))

type ReadPersonas = {
  readonly found: ReadonlyMap<string, Persona>
  readonly files: ReadonlyMap<string, string>
  readonly problems: readonly Problem[]
}

function readPersonas(sources: readonly Source[]): ReadPersonas {
  const found = new Map<string, Persona>()
  const files = new Map<string, string>()
  const problems: Problem[] = []
  for (const { file, text } of sources) {
    const read = parsePersona(text, basename(file))
    if (read.ok) {
      found.set(read.value.name, read.value)
      files.set(read.value.name, file)
    } else
      for (const { line, column, field, message } of read.error)
        problems.push({ file, line, column, ...(field === '' ? {} : { path: field }), message })
  }
  return { found, files, problems }
}

async function admitOffline(
  batch: Batch,
  builtinAgentTypes: ReadonlySet<string>,
  nowMs: number,
): Promise<{ readonly problems: readonly Problem[]; readonly absentTenants: readonly string[] }> {
  const tenants = new Set(batch.items.filter(({ resource }) => resource.kind === 'Tenant').map(({ key }) => key.name))
  const isJudged = ({ resource, key }: BatchItem): boolean => resource.scope === 'Cluster' || tenants.has(key.namespace)
  const absent = batch.items.filter((item) => !isJudged(item)).map(({ key }) => key.namespace)
  const candidates = batch.items.filter(isJudged).map((item) => ({ item, object: storedForm(item), old: undefined }))
  const current = currentFrom(builtinPlanObjects())
  const problems = await admitBatch(candidates, { current, builtinAgentTypes, nowMs })
  return { problems, absentTenants: [...new Set(absent)].toSorted() }
}

const inOrder = (problems: readonly Problem[]): Problem[] =>
  problems.toSorted(
    (a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : 0) || a.line - b.line || a.column - b.column,
  )
