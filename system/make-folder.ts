/** Makes a folder with all above it, where Node's own `recursive` would try for ever: under /proc, for instance. */
import { existsSync, mkdirSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

/** For the owner alone. */
const MODE = 0o700

/** Makes what is missing of the path, for the owner alone; nothing where the folder is there. Throws node's error. */
export function makeFolder(folder: string): void {
  for (const path of missingOf(resolve(folder))) make(path)
}

/** The folders that are to be made, the uppermost first; the folder itself always, so that a file in its place is told. */
function missingOf(folder: string): readonly string[] {
  const missing = [folder]
  for (let path = dirname(folder); !existsSync(path) && dirname(path) !== path; path = dirname(path))
    missing.unshift(path)
  return missing
}

function make(path: string): void {
  try {
    mkdirSync(path, { mode: MODE })
  } catch (error) {
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) throw error
  }
}
