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
  expect(new Set(rows.map(([name]) => name))).toEqual(new Set(SETTING_NAMES))
  expect(rows).toHaveLength(SETTING_NAMES.length)
  const defaults: Readonly<Record<string, string | number | undefined>> = readEnvironment({})
  for (const [name = '', value] of rows) {
    const actual = defaults[name]
    expect([name, value ?? '']).toEqual([name, actual === undefined ? '' : String(actual)])
  }
})
