/**
 * Records one object of every kind in every state that the real controllers bring it to, for the tests of health checks.
 * Run it when a kind's states change: `node bin/launch.mjs test/gitops/record.ts`.
 */
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { findCondition, type Condition } from '../../controller/api/conditions.ts'
import type { KindDefinition } from '../../controller/api/define-kind.ts'
import type { KubeObject } from '../../controller/api/object.ts'
import {
  accessTokenOf,
  allPlans,
  personaOf,
  projectOf,
  reviewOf,
  TEST_NOW_MS,
  TEST_TENANT,
  tenantOf,
  userOf,
  workOf,
} from '../../controller/kinds/object-builders.ts'
import { KINDS } from '../../controller/kinds/kinds.ts'
import { planKind } from '../../controller/kinds/plan/schema.ts'
import { projectKind } from '../../controller/kinds/project/schema.ts'
import { reviewKind } from '../../controller/kinds/review/schema.ts'
import { spriteKind } from '../../controller/kinds/sprite/schema.ts'
import { tenantKind } from '../../controller/kinds/tenant/schema.ts'
import { createFleet } from '../../controller/kinds/test-fleet.ts'
import { workKind } from '../../controller/kinds/work/schema.ts'
import { Fleet } from '../simulation/fleet.ts'

type Status = {
  readonly phase?: string
  readonly conditions?: readonly Condition[]
  readonly observedGeneration?: number
}

/** The objects that were met, the first of each state. */
const recorded = new Map<string, KubeObject>()

const statusOf = (object: KubeObject): Status => (object.status ?? {}) as Status

/** What tells one state from another: kind, phase, the summary conditions, and whether it is new, stale or going. */
function stateOf(object: KubeObject): string {
  const { phase = '-', conditions, observedGeneration } = statusOf(object)
  const ready = findCondition(conditions, 'Ready')
  const marks = [
    ...(findCondition(conditions, 'Reconciling')?.status === 'True' ? ['reconciling'] : []),
    ...(findCondition(conditions, 'Stalled')?.status === 'True' ? ['stalled'] : []),
    ...(observedGeneration === -1 ? ['new'] : []),
    ...((observedGeneration ?? -1) > 0 && observedGeneration !== object.metadata.generation ? ['stale'] : []),
    ...(object.metadata.deletionTimestamp === undefined ? [] : ['deleting']),
  ]
  return [object.kind, phase, `Ready=${ready?.status ?? '-'}`, ready?.reason ?? '-', ...marks].join(' ')
}

function take(objects: readonly KubeObject[]): void {
  for (const object of objects) {
    // The API server never shows an object without the default of its status; the fake client of these runs does.
    if (statusOf(object).observedGeneration === undefined) continue
    const state = stateOf(object)
    if (!recorded.has(state)) recorded.set(state, structuredClone(object))
  }
}

type Peek = { readonly peekAll: (kind: KindDefinition) => readonly KubeObject[] }
const takeAll = (client: Peek): void => {
  for (const kind of KINDS) take(client.peekAll(kind))
}

/** Random histories of sprites and work under faults. */
async function recordHistories(seeds: number): Promise<void> {
  for (let seed = 1; seed <= seeds; seed++) {
    const fleet = new Fleet({ seed, limit: 2, retentionSeconds: seed % 3 === 0 ? 200 : 0, unknownAgentType: 'ghost' })
    await fleet.start()
    const random = (): number => fleet.entropy.random()
    fleet.failWork = 0.35
    for (const tenant of ['acme', 'beta'])
      for (const [index, agentType] of ['copywriter', 'copywriter', 'editor', 'ghost'].entries())
        await fleet.addSprite(tenant, `s${index}`, {
          agentType,
          runPolicy: index === 2 && seed % 4 === 0 ? 'Stopped' : random() < 0.3 ? 'Always' : 'OnDemand',
        })
    await fleet.addSprite('nowhere', 'lost')
    fleet.machines.faults.rates([
      { call: 'create', fault: { kind: 'refuse', reason: 'NoCapacity' }, probability: seed % 5 === 0 ? 0.9 : 0.1 },
      { call: 'create', fault: { kind: 'refuse', reason: 'Unavailable' }, probability: seed % 7 === 0 ? 0.9 : 0.05 },
      { call: 'create', fault: { kind: 'refuse', reason: 'QuotaExceeded' }, probability: seed % 11 === 0 ? 0.9 : 0 },
      {
        call: 'create',
        fault: { kind: 'refuse', reason: 'CredentialsInvalid' },
        probability: seed % 13 === 0 ? 0.9 : 0,
      },
      { call: 'create', fault: { kind: 'loseReply' }, probability: 0.15 },
      { call: 'stop', fault: { kind: 'loseReply' }, probability: 0.2 },
      { call: 'destroy', fault: { kind: 'refuse', reason: 'Unavailable' }, probability: 0.3 },
    ])
    for (let step = 0; step < 150; step++) {
      await stir(fleet, step)
      await fleet.tick()
      takeAll(fleet.client)
    }
    await fleet.crash()
  }
}

async function stir(fleet: Fleet, step: number): Promise<void> {
  const random = (): number => fleet.entropy.random()
  const tenant = random() < 0.5 ? 'acme' : 'beta'
  const deadline = new Date(TEST_NOW_MS + (step + 5) * 1000).toISOString().replace('.000', '')
  if (random() < 0.2)
    await fleet.addWork(tenant, `w${step}`, {
      agentType: random() < 0.5 ? 'copywriter' : 'editor',
      ...(random() < 0.1 ? { agentType: 'nobody' } : {}),
      ...(random() < 0.1 ? { deadline } : {}),
      ...(random() < 0.15 && step > 0 ? { dependsOn: [`w${step - 1}`] } : {}),
    })
  const work = fleet.work().at(-1)
  if (work !== undefined && random() < 0.05)
    await fleet.client.update(workKind, { ...work, spec: { ...work.spec, cancelled: true } }).catch(() => undefined)
  const running = fleet.work().find((one) => one.status?.phase === 'InProgress')
  if (running !== undefined && random() < 0.05) {
    const { name, namespace = '' } = running.metadata
    const asked = { step: 1, question: 'Is it good?', artifact: 'draft', reviewer: 'person', review: `${name}-review` }
    const attempts = (running.status?.attempts ?? []).map((one) => ({ ...one, outcome: 'InReview' as const }))
    await fleet.client.patchStatus(
      workKind,
      { namespace, name },
      { phase: 'InReview', attempts, reviews: [asked], output: { summary: 'A draft' } },
    )
  }
  const machine = fleet.machines.machines()[0]
  if (machine !== undefined && random() < 0.05) fleet.machines.exit(machine.id, { code: 1, oomKilled: random() < 0.4 })
  const sprite = fleet.sprites()[Math.floor(random() * fleet.sprites().length)]
  if (sprite === undefined) return
  const key = { namespace: sprite.metadata.namespace ?? '', name: sprite.metadata.name }
  if (random() < 0.02) await fleet.client.delete(spriteKind, key)
  else if (random() < 0.03)
    await fleet.client.update(spriteKind, { ...sprite, spec: { ...sprite.spec, idleTimeoutSeconds: 10 + step } })
  if (random() < 0.02) {
    const found = fleet.client.peek(tenantKind, { namespace: '', name: tenant })
    if (found !== undefined)
      await fleet.client.update(tenantKind, { ...found, spec: { ...found.spec, suspend: !found.spec.suspend } })
  }
}

type SmallFleet = ReturnType<typeof createFleet>

/** One story of the small kinds: what is there at first, and what happens then. */
type Story = { readonly seeds: readonly KubeObject[]; readonly act?: (fleet: SmallFleet) => Promise<void> }

const acme = { namespace: '', name: TEST_TENANT }
const inAcme = (name: string) => ({ namespace: TEST_TENANT, name })

const changeSpec = async (fleet: SmallFleet, kind: KindDefinition, change: { key: typeof acme; spec: object }) => {
  const found = fleet.client.peek(kind, change.key)
  if (found !== undefined)
    await fleet.client.update(kind, { ...found, spec: { ...(found.spec as object), ...change.spec } } as never)
}

const TASKS = [
  { name: 'draft', type: 'write_copy', description: 'Write', agentType: 'copywriter' },
  { name: 'check', type: 'edit', description: 'Edit', agentType: 'editor' },
] as never
const withTasks = (name: string, spec: object = {}) =>
  projectOf(name, { spec: { agentsNeeded: ['copywriter', 'editor'], work: TASKS, ...spec } })

const enterprise = tenantOf({ spec: { plan: 'enterprise' } })
const STORIES: readonly Story[] = [
  { seeds: [tenantOf(), userOf('ada'), userOf('bob', { spec: { email: 'ada@acme.test' } }), personaOf('poet')] },
  { seeds: [enterprise, personaOf('poet'), personaOf('lost', { spec: { handsOffTo: ['nobody'] } as never })] },
  { seeds: [tenantOf({ spec: { plan: 'gone' } })] },
  {
    seeds: [
      tenantOf(),
      userOf('ada'),
      accessTokenOf('ci'),
      accessTokenOf('old', { spec: { keyId: '1'.repeat(16), expireTime: '2026-01-15T11:00:00Z' } }),
      accessTokenOf('nobodys', { spec: { keyId: '2'.repeat(16), role: undefined, user: 'nobody' } as never }),
    ],
  },
  { seeds: [tenantOf({ spec: { suspend: true } }), projectOf('p')] },
  { seeds: [tenantOf({ spec: { config: { maxConcurrentSprites: 900 } } })] },
  {
    seeds: [tenantOf()],
    act: async (fleet) => {
      fleet.outside.balance = { spent: 100_000_000, reserved: 0 }
      await changeSpec(fleet, tenantKind, { key: acme, spec: { displayName: 'Acme again' } })
    },
  },
  {
    seeds: [tenantOf()],
    act: async (fleet) => {
      fleet.outside.providerError = new Error('the provider is down')
      await fleet.client.delete(tenantKind, acme)
    },
  },
  { seeds: [tenantOf()], act: (fleet) => fleet.client.delete(planKind, { namespace: '', name: 'growth' }) },
  {
    seeds: [
      tenantOf(),
      projectOf('empty', { spec: { work: [] } }),
      withTasks('going'),
      withTasks('off', { suspend: true }),
      projectOf('strange', { spec: { agentsNeeded: ['unheard-of'] } }),
      projectOf('orphan', { metadata: { namespace: 'nowhere' } }),
    ],
    act: async (fleet) => {
      takeAll(fleet.client)
      for (const work of fleet.client.peekAll(workKind))
        await fleet.client.patchStatus(workKind, inAcme(work.metadata.name), { phase: 'Completed' })
    },
  },
  {
    seeds: [tenantOf(), withTasks('failing')],
    act: async (fleet) => {
      for (const work of fleet.client.peekAll(workKind))
        await fleet.client.patchStatus(workKind, inAcme(work.metadata.name), { phase: 'Failed' })
    },
  },
  {
    seeds: [
      tenantOf(),
      workOf('drafting', { status: { phase: 'InReview' } }),
      workOf('over', { status: { phase: 'Failed' } }),
      reviewOf('by-person', { spec: { work: 'drafting', reviewer: 'person' } }),
      reviewOf('by-agent', { spec: { work: 'drafting', reviewer: 'editor' } }),
      reviewOf('late', { spec: { work: 'over', reviewer: 'person' } }),
      reviewOf('done', { spec: { work: 'drafting', reviewer: 'person', answer: { verdict: 'Approved' } } }),
    ],
    act: async (fleet) => {
      takeAll(fleet.client)
      for (const work of fleet.client.peekAll(workKind).filter((one) => one.metadata.name.includes('by-agent')))
        await fleet.client.patchStatus(workKind, inAcme(work.metadata.name), { phase: 'Failed' })
      const key = inAcme('by-person')
      await changeSpec(fleet, reviewKind, {
        key,
        spec: { answer: { verdict: 'ChangesRequested', comment: 'Shorter' } },
      })
    },
  },
  {
    seeds: [tenantOf(), projectOf('stale')],
    act: async (fleet) => {
      await fleet.manager.stop()
      await changeSpec(fleet, projectKind, { key: inAcme('stale'), spec: { displayName: 'Changed since' } })
      await changeSpec(fleet, tenantKind, { key: acme, spec: { displayName: 'Changed since' } })
    },
  },
]

async function recordStories(): Promise<void> {
  for (const story of STORIES) {
    const fleet = createFleet()
    fleet.client.seed(...allPlans(), ...story.seeds)
    takeAll(fleet.client)
    await fleet.manager.start()
    await fleet.settle()
    takeAll(fleet.client)
    await story.act?.(fleet)
    takeAll(fleet.client)
    await fleet.settle()
    takeAll(fleet.client)
    await fleet.manager.stop()
  }
}

/** A new object as the API server stores it: the default of status tells that nobody has looked at it yet. */
function recordNew(): void {
  for (const object of Array.from(recorded.values())) {
    if (KINDS.every((kind) => kind.kind !== object.kind)) continue
    take([
      { ...object, metadata: { ...object.metadata, generation: 1 }, status: { observedGeneration: -1 } } as KubeObject,
    ])
  }
}

await recordStories()
await recordHistories(Number(process.env['RECORD_SEEDS'] ?? 60))
recordNew()
const states = Object.fromEntries([...recorded].sort(([a], [b]) => (a < b ? -1 : 1)))
const file = path.join(import.meta.dirname, 'objects.json')
writeFileSync(file, `${JSON.stringify(states, undefined, 1)}\n`)
console.log(`Recorded ${recorded.size} states in ${file}`)
for (const state of Object.keys(states)) console.log(state)
