/** Loads every persona of a folder, or none: each Markdown file is checked, and all of them together. */
import { readFile, readdir, realpath, stat } from 'node:fs/promises'
import { join, sep } from 'node:path'
import type { Persona } from '../protocol/persona.ts'
import { checkPersonas, parsePersona } from '../protocol/persona-file.ts'

/** Why a folder of personas cannot be used. */
export type PersonaFolderReason = 'Unreadable' | 'Invalid'

/** The folder cannot be used; the message has one line for each problem, `file:line:column: field: what would do`. */
export class PersonaFolderError extends Error {
  override readonly name = 'PersonaFolderError'
  readonly reason: PersonaFolderReason
  readonly problems: readonly string[]

  constructor(reason: PersonaFolderReason, problems: readonly string[]) {
    super(problems.join('\n'))
    this.reason = reason
    this.problems = problems
  }
}

const FILES_MAX = 500
const FILE_SIZE_BYTES_MAX = 512 * 1024
/** Such as README.md: documentation beside the personas. */
const NOT_A_PERSONA = /^[^a-z0-9]|^[A-Z]/

/**
 * The personas of `folder` by name, in order of their names. Files must lie in the folder itself: a symbolic link is an
 * error. PersonaFolderError by reason: Unreadable, Invalid.
 */
export async function loadPersonas(folder: string): Promise<Map<string, Persona>> {
  const root = await realpath(folder).catch((error: Error) => {
    throw new PersonaFolderError('Unreadable', [`Check the folder of personas "${folder}": ${error.message}`])
  })
  const files = await personaFiles(root)
  const personas = new Map<string, Persona>()
  const problems: string[] = []
  for (const file of files) {
    const path = join(folder, file)
    const parsed = parsePersona(await readInside(root, file), file)
    if (parsed.ok) personas.set(parsed.value.name, parsed.value)
    else
      for (const { line, column, field, message } of parsed.error)
        problems.push(`${path}:${line}:${column}: ${field === '' ? '' : `${field}: `}${message}`)
  }
  // A target that failed to parse is not an unknown one: say only what is wrong with it.
  if (problems.length === 0)
    for (const [name, found] of checkPersonas(personas))
      problems.push(...found.map((message) => `${join(folder, name)}.md: mayHandOffTo: ${message}`))
  if (problems.length > 0) throw new PersonaFolderError('Invalid', problems)
  return personas
}

async function personaFiles(root: string): Promise<string[]> {
  const entries = await readdir(root, { withFileTypes: true }).catch((error: Error) => {
    throw new PersonaFolderError('Unreadable', [`Check the folder of personas "${root}": ${error.message}`])
  })
  const files = entries.filter((entry) => entry.name.endsWith('.md') && !NOT_A_PERSONA.test(entry.name))
  const links = files.filter((entry) => !entry.isFile())
  if (links.length > 0)
    throw new PersonaFolderError(
      'Invalid',
      links.map((entry) => `${join(root, entry.name)}: Replace it by a regular file, links are not followed`),
    )
  if (files.length > FILES_MAX)
    throw new PersonaFolderError('Invalid', [
      `Keep at most "${FILES_MAX}" personas in "${root}", not "${files.length}"`,
    ])
  return files.map((entry) => entry.name).toSorted()
}

async function readInside(root: string, file: string): Promise<string> {
  // Looked at again after the listing: the file may have been replaced by a link since.
  const path = await realpath(join(root, file)).catch((error: Error) => {
    throw new PersonaFolderError('Unreadable', [`Check the persona "${file}": ${error.message}`])
  })
  if (!path.startsWith(root + sep))
    throw new PersonaFolderError('Invalid', [
      `${join(root, file)}: Replace it by a regular file, links are not followed`,
    ])
  const { size } = await stat(path)
  if (size > FILE_SIZE_BYTES_MAX)
    throw new PersonaFolderError('Invalid', [`${path}: Shorten it to "${FILE_SIZE_BYTES_MAX}" bytes, it has "${size}"`])
  return readFile(path, 'utf8')
}
