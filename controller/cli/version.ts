/** The version of the package, and where what comes with it lies. */
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import manifest from '../../package.json' with { type: 'json' }

/** The folder of the package: the nearest one above this file, or above the bundle that it is part of, with personas. */
export const packageRoot: string = findRoot(dirname(fileURLToPath(import.meta.url)))

function findRoot(folder: string): string {
  const parent = dirname(folder)
  return existsSync(join(folder, 'personas')) || parent === folder ? folder : findRoot(parent)
}

/** The version in package.json; an image carries it in the bundle. */
export const versionText = (): string => manifest.version

/** The personas that come with the package. */
export const builtinPersonasFolder = join(packageRoot, 'personas')
