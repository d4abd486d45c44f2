#!/usr/bin/env node
/** Runs a file of this clone with the right Node, installing what is missing first: `node bin/launch.mjs FILE [ARG…]`. */
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const [file, ...rest] = process.argv.slice(2)

if (Number(process.versions.node.split('.')[0]) < 20) {
  process.stderr.write(`Use Node 20 or newer: this is "${process.versions.node}"; see https://nodejs.org\n`)
  process.exitCode = 1
} else if (file === undefined) {
  process.stderr.write('Name the file to run: node bin/launch.mjs FILE [ARG…]\n')
  process.exitCode = 2
} else {
  // Loaded only now: an older Node could not read what it says.
  const { launch } = await import('./runtime.mjs')
  process.exitCode = await launch({ root, file: join(root, file), args: rest })
}
