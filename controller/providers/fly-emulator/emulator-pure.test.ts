/** The emulator's pure parts against plain models: the queue of due steps, rates, the feed, profiles and scripts. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ACTIONS } from './actions.ts'
import { EMULATED } from './answering.ts'
import { createDueQueue } from './due-queue.ts'
import { emulatorScriptSchema } from './emulator-script.ts'
import { feedPage, type FeedRow } from './feed.ts'
import { createLaggingView } from './lagging-view.ts'
import { LATENCIES, latencyFileSchema } from './latency.ts'
import { createRateBuckets, FLY_RATES } from './rate-limits.ts'
import { regionsOf } from './regions.ts'
import type { EmulatedMachine } from './model.ts'
import { configSchema, normalConfig } from './machine-config.ts'

describe('due steps', () => {
  it('FS7 the queue gives what a plain search would', () => {
    const step = fc.record({ id: fc.integer({ min: 0, max: 9 }).map(String), atMs: fc.option(fc.nat(20)) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const queue = createDueQueue()
        const model = new Map<string, number>()
        for (const { id, atMs } of steps) {
          queue.set(id, atMs ?? undefined)
          if (atMs === null) model.delete(id)
          else model.set(id, atMs)
          const first = queue.first()
          expect(first?.atMs).toBe(model.size === 0 ? undefined : Math.min(...model.values()))
          if (first) expect(model.get(first.id)).toBe(first.atMs)
        }
      }),
    )
  })
})

describe('rates', () => {
  it('FS8 never more than the burst and the rate allow, and after the time that was named there is one', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(2_000), { maxLength: 100 }), (gaps) => {
        const buckets = createRateBuckets(FLY_RATES)
        let nowMs = 0
        let given = 0
        for (const gap of gaps) {
          nowMs += gap
          const waitMs = buckets.take('createMachine', 'a', nowMs)
          if (waitMs === 0) given++
          else {
            nowMs += waitMs
            expect(buckets.take('createMachine', 'a', nowMs)).toBe(0)
            given++
          }
          expect(given).toBeLessThanOrEqual(3 + nowMs / 1_000 + 1e-6)
        }
      }),
    )
    const buckets = createRateBuckets(FLY_RATES)
    for (let turn = 0; turn < 3; turn++) expect(buckets.take('startMachine', 'm1', 0)).toBe(0)
    expect(buckets.take('startMachine', 'm1', 0)).toBeGreaterThan(0)
    expect(buckets.take('startMachine', 'm2', 0)).toBe(0)
    expect(buckets.take('stopMachine', 'm1', 0)).toBe(0)
  })
})

describe('feed', () => {
  it('FS9 following the cursor of any odd feed gives each row once and ends', () => {
    const chance = fc.double({ min: 0, max: 0.9, noNaN: true })
    const odd = fc.record({ shortPages: chance, emptyPages: chance, shuffledPages: chance })
    fc.assert(
      fc.property(
        odd,
        fc.nat(50),
        fc.integer({ min: 1, max: 20 }),
        fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true })),
        (oddities, count, limit, numbers) => {
          const rows: FeedRow<number>[] = Array.from({ length: count }, (_, at) => ({
            key: `${1_000 + at}|x`,
            region: 'r',
            row: at,
          }))
          let turns = 0
          // Draws that stay below the chance for ever would be an endless feed, which no seed is.
          const draw = (): number =>
            turns % 7 === 6 ? 0.999 : (numbers.next().value as number) /* The stream is infinite. */
          const seen: number[] = []
          for (let cursor = ''; turns < 2_000; turns++) {
            const page = feedPage(rows, { cursor, limit }, { oddities: { ...oddities, errorRegions: [] }, draw })
            seen.push(...page.rows.map((one) => one.row))
            cursor = page.cursor
            if (cursor === '') break
          }
          expect(seen.sort((a, b) => a - b)).toEqual(rows.map((one) => one.row))
        },
      ),
    )
  })
})

describe('the lagging view', () => {
  it('FS10 readers see what was, in order, and then what is; what is gone can be seen a while longer', () => {
    // Only its identity matters here.
    const picture = (name: string): EmulatedMachine => ({ id: 'm', name }) as EmulatedMachine
    const view = createLaggingView()
    const [first, second] = [picture('first'), picture('second')]
    view.note('m', undefined, 100)
    view.note('m', first, 50)
    const names = [0, 99, 100, 200].map((nowMs) => view.seen('m', second, nowMs)?.name)
    expect(names).toEqual([undefined, undefined, 'second', 'second'])
    view.note('m', second, 300)
    expect(view.ghosts(250, () => false)).toEqual([second])
    expect(view.ghosts(250, () => true)).toEqual([])
    expect(view.ghosts(300, () => false)).toEqual([])
  })
})

describe('README', () => {
  const folder = import.meta.dirname
  const text = readFileSync(join(folder, 'README.md'), 'utf8')

  it('FS11 its documents are good ones', () => {
    const documents = [...text.matchAll(/```json\n([\s\S]*?)```/g)].map(([, json = '']) => JSON.parse(json) as object)
    const [times, faults] = documents
    expect(latencyFileSchema.safeParse(times).error).toBeUndefined()
    expect(emulatorScriptSchema.safeParse(faults).error).toBeUndefined()
    expect(Object.keys(faults ?? {}).sort()).toEqual(Object.keys(emulatorScriptSchema.shape).sort())
  })

  it('FS11 its table names every file, and no other', () => {
    const own = readdirSync(folder).filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
    const named = [...text.slice(text.indexOf('## Files')).matchAll(/`([a-z-]+\.ts)`/g)].map(([, name = '']) => name)
    expect([...named].sort()).toEqual(own.sort())
  })
})

describe('data', () => {
  it('FS11 a profile can be written whole or as changes to a named one; nonsense is refused', () => {
    const read = (value: unknown): unknown => latencyFileSchema.safeParse(value).data
    expect(read({})).toEqual(LATENCIES.instant)
    expect(read({ extends: 'fly', boot: { min: 1, max: 2 } })).toEqual({ ...LATENCIES.fly, boot: { min: 1, max: 2 } })
    expect(read({ boot: { min: 2, max: 1 } })).toBeUndefined()
    expect(read({ extends: 'fly', boots: { min: 1, max: 2 } })).toBeUndefined()
    expect(read({ extends: 'warp' })).toBeUndefined()
  })

  it('FS11 a script is refused with anything that it does not know', () => {
    const isGood = (value: unknown): boolean => emulatorScriptSchema.safeParse(value).success
    expect(isGood({})).toBe(true)
    expect(isGood({ seed: 1, hosts: [{ host: 'iad-0', atMs: 5 }], rates: {} })).toBe(true)
    expect(isGood({ requests: [{ action: '*', fault: { kind: 'status', status: 200 } }] })).toBe(false)
    expect(isGood({ machines: [{ on: 'run', fault: { kind: 'exit', aftr: 1 } }] })).toBe(false)
    expect(isGood({ feed: { emptyPages: 1 } })).toBe(false)
    expect(isGood({ typo: [] })).toBe(false)
  })

  it('FS11 a script that could never come true is refused: no such action or host, a fault in the wrong phase', () => {
    const refusal = (value: unknown): string | undefined =>
      emulatorScriptSchema.safeParse(value).error?.issues[0]?.message
    const reset = { kind: 'reset' }
    expect(
      refusal({
        requests: [
          { action: 'createMachine', fault: reset },
          { action: '*', fault: reset },
        ],
      }),
    ).toBe(undefined)
    expect(refusal({ requests: [{ action: 'createMachin', fault: reset }] })).toMatch(
      /no action "createMachin": .*createMachine,/,
    )
    expect(refusal({ hosts: [{ host: 'iad-4', atMs: 0 }] })).toMatch(/no host "iad-4": give REGION-0 to REGION-3/)
    expect(refusal({ hosts: [{ host: 'moon-0', atMs: 0 }] })).toMatch(/one of iad, ord/)
    expect(refusal({ machines: [{ on: 'run', fault: { kind: 'stuck' } }] })).toMatch(
      /"stuck" cannot happen in "run": .*boot/,
    )
    expect(refusal({ machines: [{ on: 'boot', fault: { kind: 'exit' } }] })).toMatch(
      /"exit" cannot happen in "boot": give one of run/,
    )
    expect(refusal({ rates: { actions: { getMachines: { perSecond: 1, burst: 1 } } } })).toBeTypeOf('string')
  })

  it('FS11 every route has a name that faults know, and no other is known', () => {
    expect([...new Set(EMULATED.map(({ action }) => action))].sort()).toEqual([...ACTIONS].sort())
  })

  it('FS12 lists of regions are read in order, each once, with aliases', () => {
    expect(regionsOf('iad, ams,iad')).toEqual(['iad', 'ams'])
    expect(regionsOf('eu')).toEqual(['ams', 'fra', 'lhr'])
    expect(regionsOf('syd,any').slice(0, 2)).toEqual(['syd', 'iad'])
    expect(regionsOf('moon')).toEqual(['moon'])
  })

  it('FS13 configs are answered normalised: guest of a size, autostop as booleans, empty dns and init', () => {
    const normal = (config: object): object => normalConfig(configSchema.parse({ image: 'x', ...config }))
    expect(normal({ size: 'shared-cpu-2x' })).toMatchObject({ guest: { cpus: 2, memory_mb: 512 }, dns: {}, init: {} })
    expect(normal({ size: 'performance-1x' })).toMatchObject({ guest: { cpu_kind: 'performance', memory_mb: 2_048 } })
    expect(normal({ size: 'huge' })).toHaveProperty('refused')
    expect(normal({ size: 'shared-cpu-1x', guest: { cpus: 1 } })).toHaveProperty('refused')
    const services = ['off', 'stop', 'suspend', true].map((autostop) => ({ autostop, internal_port: 80 }))
    expect(normal({ services })).toMatchObject({
      services: [false, true, 'suspend', true].map((autostop) => ({ autostop, internal_port: 80 })),
    })
    expect(normal({ stop_config: { timeout: '6m' } })).toHaveProperty('refused')
  })
})
