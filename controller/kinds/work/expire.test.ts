/** Tests of which ended work goes: tables for each thing that keeps it, properties over random tenants. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { timestamp } from '../../../system/timestamp.ts'
import { planOf, reviewOf, TEST_NOW_MS, workOf } from '../object-builders.ts'
import { decideExpiry, DEFAULT_RETENTION_DAYS, EXPIRY_BATCH, retentionDaysOf, type ExpiryWorld } from './expire.ts'
import { isTerminal, WORK_PHASES, type Work, type WorkPhase } from './schema.ts'

const DAY_MS = 86_400_000
const ago = (days: number): string => timestamp(TEST_NOW_MS - days * DAY_MS)

type Over = {
  readonly phase?: WorkPhase
  readonly spec?: Partial<Work['spec']>
  readonly status?: Work['status']
  readonly metadata?: Partial<Work['metadata']>
}
const ended = (name: string, days: number, { phase = 'Completed', spec, status, metadata }: Over = {}): Work =>
  workOf(name, {
    ...(spec === undefined ? {} : { spec }),
    ...(metadata === undefined ? {} : { metadata }),
    status: { phase, completionTime: ago(days), ...status } as NonNullable<Work['status']>,
  })
const open = (name: string, spec: Partial<Work['spec']> = {}, phase: WorkPhase = 'Pending'): Work =>
  workOf(name, { spec, status: { phase } as NonNullable<Work['status']> })

const worldOf = (work: readonly Work[], over: Partial<ExpiryWorld> = {}): ExpiryWorld => ({
  nowMs: TEST_NOW_MS,
  retentionDays: 30,
  work,
  reviews: [],
  projects: new Set(),
  ...over,
})
const gone = (world: ExpiryWorld): string =>
  decideExpiry(world)
    .expired.map((work) => work.metadata.name)
    .join(' ')

const annotated = (name: string, value = 'true') => ({ metadata: { annotations: { [name]: value } } })
const handOff = { step: 1, agentType: 'editor', type: 'edit', description: 'Edit', work: 'b' }
const ofReview = {
  metadata: {
    ownerReferences: [{ apiVersion: 'v', kind: 'Review', name: 'r', uid: 'u', controller: true as const }],
  },
}
const review = reviewOf('r', { spec: { work: 'a' }, status: { phase: 'Answered', work: 'b' } as never })

describe('expiry of work', () => {
  test.each<readonly [string, ExpiryWorld, string]>([
    ['WRK80 what ended longer ago than the plan keeps it goes', worldOf([ended('a', 31), ended('b', 29)]), 'a'],
    [
      'WRK80 however it ended',
      worldOf([ended('a', 40, { phase: 'Failed' }), ended('b', 39, { phase: 'Cancelled' })]),
      'a b',
    ],
    ['WRK80 the oldest goes first', worldOf([ended('a', 31), ended('b', 60)]), 'b a'],
    ['WRK80 nothing goes where the plan keeps it for ever', worldOf([ended('a', 9999)], { retentionDays: null }), ''],
    ['WRK80 what has not ended stays', worldOf([open('a'), open('b', {}, 'InReview')]), ''],
    ['WRK81 what ended in this month stays', worldOf([ended('a', 10), ended('b', 20)], { retentionDays: 1 }), 'b'],
    [
      'WRK82 what a project counts stays',
      worldOf([ended('a', 40, { spec: { project: 'p' } })], { projects: new Set(['p']) }),
      '',
    ],
    ['WRK82 what a project counted that is gone goes', worldOf([ended('a', 40, { spec: { project: 'p' } })]), 'a'],
    ['WRK83 what open work depends on stays', worldOf([ended('a', 40), open('b', { dependsOn: ['a'] })]), ''],
    [
      'WRK83 what depends on other work goes without it',
      worldOf([ended('a', 1), ended('b', 40, { spec: { dependsOn: ['a'] } })]),
      'b',
    ],
    [
      'WRK83 through others too',
      worldOf([ended('a', 40), ended('b', 40, { spec: { dependsOn: ['a'] } }), open('c', { dependsOn: ['b'] })]),
      '',
    ],
    [
      'WRK83 both go where neither is needed',
      worldOf([ended('a', 40), ended('b', 41, { spec: { dependsOn: ['a'] } })]),
      'b a',
    ],
    ['WRK84 a parent stays while its child is open', worldOf([ended('a', 40), open('b', { parent: 'a' })]), ''],
    [
      'WRK84 a child stays while its parent does',
      worldOf([ended('a', 10), ended('b', 40, { spec: { parent: 'a' } })]),
      '',
    ],
    [
      'WRK84 siblings stay together',
      worldOf([ended('a', 40), ended('b', 40, { spec: { parent: 'a' } }), open('c', { parent: 'a' })]),
      '',
    ],
    [
      'WRK84 a hand-off that is still to be made keeps it',
      worldOf([ended('a', 40, { status: { handOffs: [handOff] } as never })]),
      '',
    ],
    [
      'WRK84 a hand-off that was refused does not',
      worldOf([ended('a', 40, { status: { handOffs: [{ ...handOff, refused: 'depth' }] } as never }), open('b')]),
      'a',
    ],
    [
      'WRK85 the work of a review goes with the review',
      worldOf([ended('a', 40), ended('b', 40, ofReview)], { reviews: [review] }),
      'a',
    ],
    [
      'WRK85 and keeps what it reviews while it is open',
      worldOf([ended('a', 40), open('b')], { reviews: [review] }),
      '',
    ],
    ['WRK86 paused work stays', worldOf([ended('a', 40, annotated('sprites.highera.com/paused'))]), ''],
    ['WRK86 protected work stays', worldOf([ended('a', 40, annotated('sprites.highera.com/protected'))]), ''],
    [
      'WRK86 work that kubectl applied stays',
      worldOf([ended('a', 40, annotated('kubectl.kubernetes.io/last-applied-configuration', '{}'))]),
      '',
    ],
    [
      'WRK86 work that Argo CD tracks stays',
      worldOf([ended('a', 40, annotated('argocd.argoproj.io/tracking-id', 'x'))]),
      '',
    ],
    [
      'WRK86 work that was applied stays',
      worldOf([ended('a', 40, { metadata: { managedFields: [{ operation: 'Apply' }] } })]),
      '',
    ],
    [
      'WRK86 work that is going is left alone',
      worldOf([ended('a', 40, { metadata: { deletionTimestamp: ago(0) } })]),
      '',
    ],
  ])('%s', (_title, world, expected) => {
    expect(gone(world)).toBe(expected)
  })

  test('WRK87 a pass deletes at most a batch, and the next comes at once', () => {
    const many = Array.from({ length: EXPIRY_BATCH + 7 }, (_, index) => ended(`w-${index}`, 40 + index))
    const decision = decideExpiry(worldOf(many))
    expect(decision.expired).toHaveLength(EXPIRY_BATCH)
    expect(decision.expired[0]?.metadata.name).toBe(`w-${EXPIRY_BATCH + 6}`)
    expect(decision.nextMs).toBe(TEST_NOW_MS)
  })

  test('WRK87 it looks again when the next work comes due', () => {
    expect(decideExpiry(worldOf([ended('a', 20), ended('b', 25), open('c')])).nextMs).toBe(TEST_NOW_MS + 5 * DAY_MS)
    expect(decideExpiry(worldOf([open('c')])).nextMs).toBeUndefined()
  })

  test('WRK80 a plan says how long; one from before plans said so keeps it for a while', () => {
    expect(retentionDaysOf(planOf('starter'))).toBe(30)
    const { workRetentionDays: _days, ...spec } = planOf('starter').spec
    expect(retentionDaysOf({ ...planOf('starter'), spec: spec as never })).toBe(DEFAULT_RETENTION_DAYS)
    expect(retentionDaysOf(planOf('starter', { spec: { workRetentionDays: null } }))).toBeNull()
    expect(retentionDaysOf(undefined)).toBeNull()
  })

  test('WRK80 to WRK87 hold in every tenant', () => {
    const names = ['a', 'b', 'c', 'd', 'e']
    const name = fc.constantFrom(...names)
    const one = fc.record({
      phase: fc.constantFrom(...WORK_PHASES),
      days: fc.integer({ min: 0, max: 80 }),
      parent: fc.option(name, { nil: undefined }),
      dependsOn: fc.uniqueArray(name, { maxLength: 2 }),
      project: fc.option(fc.constantFrom('p', 'q'), { nil: undefined }),
    })
    const tenant = fc.tuple(one, one, one, one, one)
    fc.assert(
      fc.property(tenant, (parts) => {
        const work = parts.map(({ phase, days, parent, dependsOn, project }, index) => {
          const spec = {
            dependsOn,
            ...(parent === undefined ? {} : { parent }),
            ...(project === undefined ? {} : { project }),
          }
          const self = names[index] ?? ''
          return isTerminal(phase) ? ended(self, days, { phase, spec }) : open(self, spec, phase)
        })
        const world = worldOf(work, { projects: new Set(['p']) })
        const { expired } = decideExpiry(world)
        const going = new Set(expired.map((each) => each.metadata.name))
        const staying = work.filter((each) => !going.has(each.metadata.name))
        for (const each of expired) {
          expect(isTerminal(each.status?.phase)).toBe(true)
          expect(each.spec.project).not.toBe('p')
        }
        for (const each of staying) {
          expect((each.spec.dependsOn ?? []).filter((other) => going.has(other))).toEqual([])
          expect(going.has(each.spec.parent ?? '')).toBe(false)
        }
        expect(expired.filter((each) => staying.some((other) => other.metadata.name === each.spec.parent))).toEqual([])
        // What stays would stay in the next pass too: nothing else goes because something went.
        expect(gone({ ...world, work: staying })).toBe('')
      }),
      { numRuns: 500 },
    )
  })
})
