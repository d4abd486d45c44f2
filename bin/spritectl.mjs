#!/usr/bin/env node
/** `spritectl`: runs the published bundle, or the sources of a clone, with a Node that can. */
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const source = join(root, 'controller', 'cli', 'main.ts')
const bundle = join(root, 'dist', 'controller', 'spritectl.mjs')
const isClone = existsSync(source) && existsSync(join(root, 'package-lock.json'))

if (Number(process.versions.node.split('.')[0]) < 20) {
  process.stderr.write(`Use Node 24.15 or newer: this is "${process.versions.node}"; see https://nodejs.org\n`)
  process.exitCode = 1
} else {
  const { launch, runWithFittingNode } = await import('./runtime.mjs')
  const args = process.argv.slice(2)
  process.exitCode = isClone
    ? await launch({ root, file: source, args, cwd: process.cwd() })
    : await runWithFittingNode({ root, file: bundle, args })
}
