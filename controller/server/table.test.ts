/** Tests of ages, of the JSONPath subset and of Tables. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { KubeObject } from '../api/object.ts'
import { resourceOf } from '../api/resource-of.ts'
import { KINDS } from '../kinds/kinds.ts'
import { spriteKind } from '../kinds/sprite/schema.ts'
import { ageOf, humanDuration } from './age.ts'
import { compileJsonPath } from './json-path.ts'
import { tableRenderer } from './table.ts'

const S = 1000
const M = 60 * S
const H = 60 * M
const D = 24 * H

describe('humanDuration', () => {
  it.each([
    [-2 * S, '<invalid>'],
    [-1 * S, '0s'],
    [0, '0s'],
    [119 * S, '119s'],
    [120 * S, '2m'],
    [125 * S, '2m5s'],
    [10 * M, '10m'],
    [179 * M, '179m'],
    [3 * H, '3h'],
    [3 * H + 5 * M, '3h5m'],
    [8 * H, '8h'],
    [47 * H, '47h'],
    [48 * H, '2d'],
    [2 * D + 3 * H, '2d3h'],
    [8 * D, '8d'],
    [729 * D, '729d'],
    [730 * D, '2y'],
    [731 * D, '2y1d'],
    [8 * 365 * D + D, '8y'],
  ])('SV8 %d ms is %s', (durationMs, text) => {
    expect(humanDuration(durationMs)).toBe(text)
  })

  it('SV8 a missing instant is unknown, a broken one invalid', () => {
    expect(ageOf(undefined, 0)).toBe('<unknown>')
    expect(ageOf('yesterday', 0)).toBe('<invalid>')
    expect(ageOf('1970-01-01T00:00:00Z', 5 * M)).toBe('5m')
  })
})

const conditions = [
  { type: 'Ready', status: 'False', reason: 'Queued' },
  { type: 'Other', status: 'True', n: 3 },
]
const sample = { spec: { a: 1, 'x.y': 'dot', list: ['p', 'q'], map: { k: 'v' } }, status: { conditions } }

describe('JSONPath', () => {
  it.each<[string, unknown[]]>([
    ['.spec.a', [1]],
    ['{.spec.a}', [1]],
    ['spec.a', [1]],
    ['$.spec.a', [1]],
    ['.spec.x\\.y', ['dot']],
    [".spec['x.y']", ['dot']],
    ['.spec["a"]', [1]],
    ['.spec.list[0]', ['p']],
    ['.spec.list[-1]', ['q']],
    ['.spec.list[9]', []],
    ['.spec.list[*]', ['p', 'q']],
    ['.spec.map.*', ['v']],
    ['.status.conditions[?(@.type=="Ready")].status', ['False']],
    [".status.conditions[?(@.type == 'Ready')].reason", ['Queued']],
    ['.status.conditions[?(@.n>2)].type', ['Other']],
    ['.status.conditions[?(@.n<=2)].type', []],
    ['.status.conditions[?(@.n)].type', ['Other']],
    ['.status.conditions[?(@.type!="Ready")].status', ['True']],
    ['.status.conditions[*].type', ['Ready', 'Other']],
    ['.none.at.all', []],
    ['.constructor', []],
    ['.spec.__proto__', []],
  ])('SV8 %s', (path, expected) => {
    expect(compileJsonPath(path)(sample)).toEqual(expected)
  })

  it.each(['.spec[', '.spec[?(]', '.a..b', '.a[?(@.b==oops)]', '[[['])('SV8 %s is no path', (path) => {
    expect(() => compileJsonPath(path)).toThrow(SyntaxError)
  })

  it('SV8 any text is either compiled or refused, quickly', () => {
    const text = fc.string({
      unit: fc.constantFrom('.', '[', ']', '(', ')', '?', '@', '"', "'", '=', '*', 'a', '\\', ' ', '1'),
      maxLength: 60,
    })
    fc.assert(
      fc.property(text, (path) => {
        try {
          compileJsonPath(path)(sample)
        } catch (error) {
          expect(error).toBeInstanceOf(SyntaxError)
        }
      }),
    )
  })
})

const object: KubeObject = {
  apiVersion: 'sprites.highera.com/v1alpha1',
  kind: 'Sprite',
  metadata: {
    name: 'copy-1',
    namespace: 'acme',
    uid: 'u',
    resourceVersion: '7',
    generation: 1,
    creationTimestamp: '2026-01-15T11:55:00Z',
  },
  spec: { agentType: 'copywriter' },
  status: { phase: 'Idle', conditions },
}
const nowMs = Date.UTC(2026, 0, 15, 12)
const options = { version: 'v1', includeObject: 'Metadata', nowMs } as const

type TableBody = {
  kind: string
  apiVersion: string
  columnDefinitions: { name: string; priority: number; format: string; type: string }[] | null
  rows: { cells: unknown[]; object?: { kind: string; spec?: unknown } }[]
}
const render = (extra: object = {}): TableBody =>
  tableRenderer(resourceOf(spriteKind)).table([object], { resourceVersion: '7' }, { ...options, ...extra }) as TableBody

describe('Table', () => {
  it('SV8 has Name first, then the columns of the kind, wide ones at priority 1', () => {
    const table = render()
    expect(table.kind).toBe('Table')
    expect(table.apiVersion).toBe('meta.k8s.io/v1')
    expect(table.columnDefinitions?.map(({ name, priority }) => `${name}${priority}`).join(' ')).toBe(
      'Name0 Agent0 Phase0 Ready0 Project0 Task0 Age0 Machine1 Region1 Reason1 Message1',
    )
    expect(table.columnDefinitions?.[0]).toMatchObject({ format: 'name', type: 'string' })
  })

  it('SV8 cells are typed; a missing path is null; the age is text', () => {
    expect(render().rows[0]?.cells).toEqual([
      'copy-1',
      'copywriter',
      'Idle',
      'False',
      null,
      null,
      '5m',
      null,
      null,
      'Queued',
      null,
    ])
  })

  it('SV8 rows carry nothing, the metadata or the object', () => {
    expect(render().rows[0]?.object).toMatchObject({ kind: 'PartialObjectMetadata' })
    expect(render().rows[0]?.object?.spec).toBeUndefined()
    expect(render({ includeObject: 'Object' }).rows[0]?.object).toBe(object)
    expect(render({ includeObject: 'None' }).rows[0]).not.toHaveProperty('object')
  })

  it('SV8 later events leave the columns out', () => {
    expect(render({ withColumns: false }).columnDefinitions).toBeNull()
  })

  it('SV8 a resource without columns shows its age', () => {
    const table = tableRenderer({ columns: [] }).table([object], {}, options) as TableBody
    expect(table.rows[0]?.cells).toEqual(['copy-1', '5m'])
  })

  it('SV8 the columns of every kind can be read', () => {
    for (const kind of KINDS) expect(tableRenderer(resourceOf(kind)).columns.length).toBeGreaterThan(1)
  })
})
