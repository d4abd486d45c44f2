/** docs/production.md names every setting with its default, and no other. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { readEnvironment, SETTING_NAMES } from '../controller/config.ts'

const page = readFileSync(path.resolve(import.meta.dirname, '../docs/production.md'), 'utf8')

test('CF10 every setting stands in docs/production.md with its default, and no other does', () => {
  const rows = [...page.matchAll(/^\| `([A-Z][A-Z_]+)` \| (?:`([^`]*)`)? ?\|/gm)].map(([, name, value]) => [
    name,
    value,
  ])
  expect(rows.map(([name]) => name).sort()).toEqual([...SETTING_NAMES].sort())
  const defaults: Readonly<Record<string, unknown>> = readEnvironment({})
  for (const [name = '', value] of rows) {
    const actual = defaults[name]
    expect([name, value ?? '']).toEqual([name, actual === undefined ? '' : String(actual)])
  }
})
