/** Draws random writes by several managers, from a seed: applies, patches, replaces, status writes and deletes. */
import { planKind } from '../controller/kinds/plan/schema.ts'
import { projectKind } from '../controller/kinds/project/schema.ts'
import { tenantKind } from '../controller/kinds/tenant/schema.ts'
import { workKind } from '../controller/kinds/work/schema.ts'
import type { KindDefinition } from '../controller/api/define-kind.ts'

/** One request; `body` gets the live object of the server that it goes to. */
export type Step = {
  readonly method: 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** What follows the collection's path: `/NAME?…`, `/NAME/status?…` or `?…`. */
  readonly path: string
  readonly contentType: string
  readonly body: (live: Live | undefined) => unknown
}

/** What a step looks at in the live object. */
export type Live = { readonly metadata: { readonly resourceVersion?: string; readonly managedFields?: unknown } }

/** Draws values, always the same ones for a seed. */
export type Draw = {
  chance(probability: number): boolean
  pick<T>(values: readonly [T, ...T[]]): T
  /** Each value with this probability, in random order. */
  some<T>(values: readonly T[], probability: number): T[]
}

/** mulberry32. */
export function drawOf(seed: number): Draw {
  let state = seed | 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
  return {
    chance: (probability) => next() < probability,
    pick: (values) => values[Math.floor(next() * values.length)] ?? values[0],
    some: (values, probability) =>
      values
        .filter(() => next() < probability)
        .map((value) => ({ value, at: next() }))
        .sort((left, right) => left.at - right.at)
        .map(({ value }) => value),
  }
}

type Fields = Record<string, unknown>

/** A kind under test: its parts, drawn; `isWhole` asks for a spec that is accepted by itself. */
export type Subject = {
  readonly kind: KindDefinition
  spec(draw: Draw, isWhole: boolean): Fields
  status(draw: Draw): Fields
  /** Spec fields that a merge patch may remove. */
  readonly removable: readonly [string, ...string[]]
  /** Whether the spec has no fields at all: then kube-apiserver counts what it drops of it as a change. */
  readonly hasEmptySpec?: boolean
}

const maybe = (draw: Draw, probability: number, fields: () => Fields): Fields =>
  draw.chance(probability) ? fields() : {}

const conditions = (draw: Draw): Fields => ({
  conditions: draw.some(['Ready', 'Synced', 'Paid'], 0.5).map((type) => ({
    type,
    status: draw.pick(['True', 'False']),
    reason: draw.pick(['R', 'S']),
    message: draw.pick(['', 'm']),
    lastTransitionTime: '2026-01-01T00:00:00Z',
    ...maybe(draw, 0.3, () => ({ observedGeneration: draw.pick([1, 2]) })),
  })),
})

const blockers = (draw: Draw): Fields => ({
  blockers: draw
    .some(['A', 'B'], 0.5)
    .map((reason) => ({ reason, fix: 'f', ...maybe(draw, 0.3, () => ({ holders: ['x'] })) })),
})

const free = (draw: Draw): unknown =>
  draw.pick<unknown>([
    {},
    { a: 1 },
    { a: 1, b: { c: 'x' } },
    { b: { c: 'y', d: [1, 2] } },
    { b: {} },
    { b: null },
    { b: 5, e: { f: { g: true } } },
    { a: { z: 1 }, b: [1] },
    { a: [], e: { f: 1 } },
  ])

const project: Subject = {
  kind: projectKind,
  removable: ['agentsNeeded', 'work', 'suspend', 'runPolicy'],
  spec: (draw, isWhole) => ({
    ...maybe(draw, isWhole ? 1 : 0.5, () => ({ displayName: draw.pick(['P', 'Q']) })),
    ...maybe(draw, isWhole ? 1 : 0.5, () => ({ brief: draw.pick(['b1', 'b2']) })),
    ...maybe(draw, 0.5, () => ({ agentsNeeded: draw.some(['a', 'b', 'c', 'd'], 0.5) })),
    ...maybe(draw, 0.3, () => ({ runPolicy: draw.pick(['OnDemand', 'Always']) })),
    ...maybe(draw, 0.3, () => ({ suspend: draw.chance(0.5) })),
    ...maybe(draw, 0.6, () => ({
      work: draw.some(['t1', 't2', 't3', 't4'], 0.5).map((name) => ({
        name,
        type: draw.pick(['x', 'y']),
        agentType: 'editor',
        description: draw.pick(['d', 'e']),
        ...maybe(draw, 0.3, () => ({ input: draw.pick<unknown>([{}, { a: 1 }, { b: { c: [1] } }]) })),
        ...maybe(draw, 0.3, () => ({ dependsOn: draw.some(['t1', 't2'], 0.6) })),
      })),
    })),
    ...maybe(draw, 0.04, () => ({ work: null })),
    ...maybe(draw, 0.04, () => ({ agentsNeeded: null })),
    ...maybe(draw, 0.02, () => ({ runPolicy: draw.pick([null, 'Never']) })),
    ...maybe(draw, 0.02, () => ({ brief: null })),
  }),
  status: (draw) => ({
    ...maybe(draw, 0.5, () => ({ phase: draw.pick(['Pending', 'Active']) })),
    ...maybe(draw, 0.4, () => ({ observedGeneration: draw.pick([1, 2]) })),
    ...maybe(draw, 0.4, () => ({ spritesAssigned: draw.some(['s1', 's2', 's3'], 0.5) })),
    ...maybe(draw, 0.3, () => ({
      work: { pending: draw.pick([0, 1]), active: 0, completed: 0, failed: draw.pick([0, 2]) },
    })),
    ...maybe(draw, 0.3, () => blockers(draw)),
    ...maybe(draw, 0.6, () => conditions(draw)),
  }),
}

const work: Subject = {
  kind: workKind,
  removable: ['input', 'dependsOn', 'deadline', 'priority'],
  spec: (draw, isWhole) => ({
    ...maybe(draw, isWhole ? 1 : 0.5, () => ({ type: 'x' })),
    ...maybe(draw, isWhole ? 1 : 0.5, () => ({ description: 'd' })),
    ...maybe(draw, isWhole ? 1 : 0.5, () => ({ agentType: 'editor' })),
    ...maybe(draw, 0.6, () => ({ input: free(draw) })),
    ...maybe(draw, 0.3, () => ({ dependsOn: draw.some(['a', 'b', 'c'], 0.5) })),
    ...maybe(draw, 0.3, () => ({ priority: draw.pick([0, 1, 101]) })),
    ...maybe(draw, 0.2, () => ({ deadline: draw.pick(['2026-01-01T00:00:00Z', '2027-01-01T00:00:00Z']) })),
    ...maybe(draw, 0.03, () => ({ input: null })),
  }),
  status: (draw) => ({
    ...maybe(draw, 0.5, () => ({ phase: draw.pick(['Pending', 'Assigned']) })),
    ...maybe(draw, 0.3, () => blockers(draw)),
    ...maybe(draw, 0.6, () => conditions(draw)),
  }),
}

const tenant: Subject = {
  kind: tenantKind,
  removable: ['config', 'brand', 'suspend'],
  spec: (draw, isWhole) => ({
    ...maybe(draw, isWhole ? 1 : 0.5, () => ({ displayName: draw.pick(['A', 'B']) })),
    ...maybe(draw, isWhole ? 1 : 0.5, () => ({ plan: draw.pick(['growth', 'small']) })),
    ...maybe(draw, 0.5, () => ({
      config: {
        ...maybe(draw, 0.5, () => ({ enabledAgents: draw.some(['a', 'b', 'c'], 0.5) })),
        ...maybe(draw, 0.4, () => ({ maxConcurrentSprites: draw.pick([1, 2]) })),
        ...maybe(draw, 0.1, () => ({ monthlyTokenBudget: draw.pick([null, 5]) })),
      },
    })),
    ...maybe(draw, 0.4, () => ({
      brand: {
        ...maybe(draw, 0.5, () => ({ voice: draw.pick(['v', 'w']) })),
        ...maybe(draw, 0.5, () => ({ context: draw.pick(['c', 'd']) })),
      },
    })),
    ...maybe(draw, 0.03, () => ({ brand: null })),
    ...maybe(draw, 0.2, () => ({ suspend: draw.chance(0.5) })),
  }),
  status: (draw) => ({
    ...maybe(draw, 0.5, () => ({ namespace: draw.pick(['n', 'm']) })),
    ...maybe(draw, 0.5, () => ({
      usage: { month: '2026-01', tokensUsed: draw.pick([0, 1]), tokensReserved: 0, spritesSpawned: draw.pick([0, 1]) },
    })),
    ...maybe(draw, 0.6, () => conditions(draw)),
  }),
}

const plan: Subject = {
  kind: planKind,
  removable: ['guest', 'sso', 'priority'],
  spec: (draw, isWhole) => ({
    ...maybe(draw, isWhole ? 1 : 0.5, () => ({ concurrentSprites: draw.pick([null, 1, 2]) })),
    ...maybe(draw, isWhole ? 1 : 0.5, () => ({ agentTypes: draw.pick([null, 3]) })),
    ...maybe(draw, isWhole ? 1 : 0.5, () => ({ monthlyTokens: draw.pick([null, 10]) })),
    ...maybe(draw, isWhole ? 1 : 0.5, () => ({ spriteIdleTimeoutSeconds: draw.pick([5, 6]) })),
    ...maybe(draw, 0.4, () => ({
      guest: draw.pick<unknown>([
        {},
        { cpus: 2 },
        { cpuKind: 'performance' },
        { cpus: 1, memoryMb: 1024 },
        { cpus: null },
      ]),
    })),
    ...maybe(draw, 0.3, () => ({ priority: draw.pick([1, 2, null]) })),
    ...maybe(draw, 0.03, () => ({ guest: null })),
  }),
  status: (draw) => ({
    ...maybe(draw, 0.5, () => ({ tenants: draw.pick([0, 1]) })),
    ...maybe(draw, 0.6, () => conditions(draw)),
  }),
}

/** Two namespaced kinds and two cluster-scoped ones: sets, maps by key, free JSON, nested defaults, nulls. */
export const SUBJECTS: readonly Subject[] = [project, work, tenant, plan]

function metadata(draw: Draw): Fields {
  return {
    ...maybe(draw, 0.4, () => ({
      labels: Object.fromEntries(draw.some(['l1', 'l2', 'l3'], 0.5).map((key) => [key, draw.pick(['a', 'b'])])),
    })),
    ...maybe(draw, 0.3, () => ({
      annotations: Object.fromEntries(draw.some(['n1', 'n2'], 0.6).map((key) => [key, draw.pick(['a', 'b'])])),
    })),
    ...maybe(draw, 0.15, () => ({ finalizers: draw.some(['ex.dev/f1', 'ex.dev/f2'], 0.6) })),
    ...maybe(draw, 0.12, () => ({
      ownerReferences: draw.some([1, 2], 0.6).map((n) => ({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        name: `o${n}`,
        uid: `u${n}`,
        ...maybe(draw, 0.3, () => ({ controller: false })),
      })),
    })),
  }
}

const APPLY = 'application/apply-patch+yaml'
const MERGE = 'application/merge-patch+json'
const JSON_PATCH = 'application/json-patch+json'
const PLAIN = 'application/json'

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration'

/** Draws the next step for an object. */
export function nextStep(subject: Subject, name: string, draw: Draw, exists: boolean): Step {
  const { kind } = subject
  const scope = kind.scope === 'Namespaced' ? { namespace: 'acme' } : {}
  const identity = { apiVersion: kind.apiVersion, kind: kind.kind }
  const object = (isWhole: boolean): Fields => ({
    ...identity,
    metadata: { name, ...scope, ...metadata(draw) },
    spec: subject.spec(draw, isWhole),
  })
  const at = Number(draw.pick(DICE))
  const fixed = (step: Omit<Step, 'body'>, body: unknown): Step => ({ ...step, body: () => body })
  if (!exists && draw.chance(0.4)) {
    const path = draw.chance(0.5) ? '?fieldManager=creator' : ''
    const created = object(true)
    const clientSide = draw.chance(0.3)
      ? {
          ...created,
          metadata: { ...(created['metadata'] as Fields), annotations: { [LAST_APPLIED]: JSON.stringify(created) } },
        }
      : created
    return fixed({ method: 'POST', path, contentType: PLAIN }, clientSide)
  }
  if (!exists || at < 50) return applyStep(object(!exists || draw.chance(0.5)), { name, draw, subject })
  if (at < 58) {
    const gone = draw.chance(0.3) ? { [draw.pick(subject.removable)]: null } : {}
    const body = { metadata: metadata(draw), spec: { ...subject.spec(draw, false), ...gone } }
    return fixed(
      { method: 'PATCH', path: `/${name}?fieldManager=${draw.pick(['mp', 'm1', 'kubectl'])}`, contentType: MERGE },
      body,
    )
  }
  if (at < 64)
    return fixed(
      { method: 'PATCH', path: `/${name}?fieldManager=jp`, contentType: JSON_PATCH },
      jsonPatch(draw, subject),
    )
  if (at < 74) {
    const query = `fieldManager=${draw.pick(['ctl', 'ctl2'])}&force=${draw.chance(0.5)}`
    const body = { ...identity, metadata: { name, ...scope }, status: subject.status(draw) }
    return fixed({ method: 'PATCH', path: `/${name}/status?${query}`, contentType: APPLY }, body)
  }
  if (at < 84) {
    const body = {
      status: subject.status(draw),
      ...(draw.chance(0.3) ? { spec: subject.spec(draw, false), metadata: { labels: { no: 'no' } } } : {}),
    }
    return fixed(
      { method: 'PATCH', path: `/${name}/status?fieldManager=${draw.pick(['smp', 'ctl'])}`, contentType: MERGE },
      body,
    )
  }
  if (at < 92) return replaceStep(object(true), { name, draw })
  if (at < 95)
    return fixed({ method: 'PATCH', path: `/${name}?fieldManager=reset`, contentType: MERGE }, resetPatch(draw))
  if (at < 98) return fixed({ method: 'DELETE', path: `/${name}`, contentType: PLAIN }, undefined)
  return fixed(
    { method: 'PATCH', path: `/${name}?fieldManager=drop`, contentType: MERGE },
    { metadata: { finalizers: null } },
  )
}

const DICE = Array.from({ length: 100 }, (_, index) => String(index)) as [string, ...string[]]

function applyStep(
  config: Fields,
  { name, draw, subject }: { readonly name: string; readonly draw: Draw; readonly subject: Subject },
): Step {
  const manager = draw.chance(0.02) ? '' : `fieldManager=${draw.pick(['m1', 'm2', 'm3', 'kubectl'])}&`
  const dryRun = draw.chance(0.08) ? '&dryRun=All' : ''
  const path = `/${name}?${manager}force=${draw.chance(0.4)}${dryRun}`
  const spec = config['spec'] as Fields
  const flawed: unknown = draw.chance(0.94)
    ? config
    : draw.pick<unknown>([
        { ...config, metadata: { name: 'other' } },
        ...(subject.hasEmptySpec === true
          ? []
          : [
              { ...config, spec: { ...spec, nope: 1 } },
              { ...config, spec: { ...spec, [subject.removable[0]]: 7 } },
            ]),
        { ...config, metadata: { name, managedFields: [{ manager: 'x' }] } },
        { ...config, metadata: { name, labels: ['a'] } },
        { ...config, metadata: { name, resourceVersion: '1' } },
        { ...config, metadata: { name, uid: 'other' } },
        { ...config, kind: 'Other' },
        { ...config, status: subject.status(draw) },
        { ...config, metadata: {} },
        'text',
      ])
  return { method: 'PATCH', path, contentType: APPLY, body: () => flawed }
}

function replaceStep(object: Fields, { name, draw }: { readonly name: string; readonly draw: Draw }): Step {
  const keepsEntries = draw.chance(0.5)
  return {
    method: 'PUT',
    path: `/${name}?fieldManager=${draw.pick(['put', 'm2'])}`,
    contentType: PLAIN,
    body: (live) => ({
      ...object,
      metadata: {
        ...(object['metadata'] as Fields),
        resourceVersion: live?.metadata.resourceVersion,
        ...(keepsEntries ? { managedFields: live?.metadata.managedFields } : {}),
      },
    }),
  }
}

const jsonPatch = (draw: Draw, subject: Subject): unknown => [
  draw.pick<unknown>([
    { op: 'remove', path: `/spec/${draw.pick(subject.removable)}` },
    { op: 'add', path: '/metadata/labels', value: { jp: '1' } },
    { op: 'add', path: '/metadata/annotations', value: { n1: 'jp' } },
    { op: 'test', path: '/metadata/name', value: 'zzz' },
    { op: 'remove', path: '/metadata/managedFields' },
    { op: 'replace', path: '/metadata/managedFields', value: draw.pick<unknown>([[], [{}], null]) },
  ]),
]

const resetPatch = (draw: Draw): unknown => ({
  metadata: {
    managedFields: draw.pick<unknown>([
      [{}],
      [],
      null,
      [
        {
          manager: 'set',
          operation: 'Apply',
          apiVersion: 'sprites.highera.com/v1alpha1',
          fieldsType: 'FieldsV1',
          fieldsV1: { 'f:spec': { 'f:displayName': {}, 'f:work': { 'k:{"name":"t1"}': { '.': {} } } } },
        },
      ],
      [{ manager: 'bad', operation: 'Other', apiVersion: 'v1', fieldsType: 'FieldsV1', fieldsV1: {} }],
      [
        {
          manager: 'bad',
          operation: 'Apply',
          apiVersion: 'sprites.highera.com/v1alpha1',
          fieldsType: 'FieldsV1',
          fieldsV1: { odd: {} },
        },
      ],
    ]),
    labels: { l1: draw.pick(['a', 'b']) },
  },
})
