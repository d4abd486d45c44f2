/** Finds and reads the manifest files that a person names: a file, a folder with all below it, or `-`. */
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { CliFailure } from './failure.ts'

/** A text with the name that problems carry. */
export type Source = { readonly file: string; readonly text: string }

/** What is read, and from where. */
export type SourceOptions = {
  readonly readStdin?: (() => Promise<string>) | undefined
  /** Which files of a folder count; manifests unless said otherwise. */
  readonly isWanted?: ((name: string) => boolean) | undefined
}

const FILES_MAX = 10_000
const DEPTH_MAX = 32
const FILE_BYTES_MAX = 32 * 1024 * 1024

/** Whether a file of a folder is read as a manifest. */
export const isManifestName = (name: string): boolean => /\.(ya?ml|json)$/i.test(name)

/** Every text under the paths, sorted by name within each. Rejects with CliFailure BadInput. */
export async function readSources(paths: readonly string[], options: SourceOptions = {}): Promise<readonly Source[]> {
  const sources: Source[] = []
  for (const path of paths) {
    if (path === '-') {
      if (options.readStdin === undefined) throw new CliFailure('Usage', 'Standard input cannot be read here')
      sources.push({ file: '<stdin>', text: await options.readStdin() })
      continue
    }
    const found = await stat(path).catch((cause: unknown) => {
      throw new CliFailure('BadInput', `Cannot find "${path}": name a file or a folder`, { cause })
    })
    const files = found.isDirectory() ? await filesBelow(path, options.isWanted ?? isManifestName) : [path]
    if (found.isDirectory() && files.length === 0)
      throw new CliFailure('BadInput', `Find no *.yaml, *.yml or *.json below "${path}"`)
    for (const file of files) sources.push({ file, text: await readText(file) })
  }
  return sources
}

async function readText(file: string): Promise<string> {
  try {
    const { size } = await stat(file)
    if (size > FILE_BYTES_MAX) throw new CliFailure('BadInput', `Too large: "${file}" has ${size} bytes`)
    return await readFile(file, 'utf8')
  } catch (cause) {
    if (cause instanceof CliFailure) throw cause
    throw new CliFailure('BadInput', `Cannot read "${file}": check its owner and mode`, { cause })
  }
}

/** A folder that holds a file of this name is left out when a folder above it is read; named itself, it is read. */
const IGNORE_FILE = '.spritesignore'

/** Links to folders are not followed, so that the walk ends; hidden folders and node_modules are left out. */
async function filesBelow(folder: string, isWanted: (name: string) => boolean, depth = 0): Promise<string[]> {
  if (depth > DEPTH_MAX) throw new CliFailure('BadInput', `Too deep: "${folder}"`)
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: unknown) => {
    throw new CliFailure('BadInput', `Cannot read the folder "${folder}": check its owner and mode`, { cause })
  })
  if (depth > 0 && entries.some((entry) => entry.name === IGNORE_FILE)) return []
  const files: string[] = []
  for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) {
      if (!entry.name.startsWith('.') && entry.name !== 'node_modules')
        files.push(...(await filesBelow(path, isWanted, depth + 1)))
    } else if (isWanted(entry.name)) files.push(path)
    if (files.length > FILES_MAX) throw new CliFailure('BadInput', `Too many files below "${folder}"`)
  }
  return files
}
