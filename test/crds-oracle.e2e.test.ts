/** Our CRDs and our own validation against a genuine Kubernetes server: same verdicts, same fields, same defaults. */
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { KindDefinition } from '../controller/api/define-kind.ts'
import { resourceName } from '../controller/api/define-kind.ts'
import type { Cause } from '../controller/api/errors.ts'
import type { Json } from '../controller/api/object.ts'
import { schemaOf } from '../controller/api/resource-of.ts'
import { arbitraryOf } from '../controller/api/schema/arbitrary.ts'
import { compileRules } from '../controller/api/schema/cel.ts'
import { applyDefaults } from '../controller/api/schema/defaults.ts'
import { prune } from '../controller/api/schema/prune.ts'
import { scaleCauses } from '../controller/api/schema/scale.ts'
import { blocksRules, CAUSES_MAX, validate } from '../controller/api/schema/validate.ts'
import { KINDS } from '../controller/kinds/kinds.ts'
import { generatedFiles } from '../scripts/generate.ts'
import { type Oracle, oracleAbsence, type Reply, startOracle } from './oracle.ts'
import { parse } from 'yaml'

const NAMESPACE = 'acme'
const CRDS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
/** Fixed, so that a failure can be repeated. */
const SEED = 20261122

type Sent = { readonly metadata: { readonly name: string }; readonly spec?: unknown; readonly status?: unknown }
type Verdict = {
  readonly isAccepted: boolean
  readonly causes: readonly Cause[]
  readonly unknown: readonly string[]
  readonly object: { readonly spec?: unknown; readonly status?: unknown }
}

/** What our own engine says of a write. */
function verdictOf(kind: KindDefinition, sent: Sent, old?: unknown): Verdict {
  const schema = schemaOf(kind)
  const pruned = prune(schema, sent)
  const object = applyDefaults(schema, pruned.value)
  const replicas = kind.scale === undefined ? [] : scaleCauses(kind.scale, object)
  const causes = [...validate(schema, object), ...replicas]
  const all = blocksRules(causes) ? causes : [...causes, ...compileRules(schema)(object, old)]
  return { isAccepted: all.length === 0, causes: all, unknown: pruned.unknown, object }
}

const collectionOf = (kind: KindDefinition): string =>
  `/apis/${kind.apiVersion}/${kind.scope === 'Namespaced' ? `namespaces/${NAMESPACE}/` : ''}${kind.plural}`

const objectOf = (kind: KindDefinition, name: string, spec: unknown) => ({
  apiVersion: kind.apiVersion,
  kind: kind.kind,
  metadata: { name, ...(kind.scope === 'Namespaced' ? { namespace: NAMESPACE } : {}) },
  ...(spec === undefined ? {} : { spec }),
})

/** Kubernetes says twice that a number is no int64, the second time of the whole object. */
const saysAgain = (message: string | undefined): boolean => message?.includes('Checked value must be of type') === true

/** Fields that causes name. Kubernetes adds causes without a field for what another cause says already. */
const fieldsOf = (causes: readonly { readonly field?: string; readonly message?: string }[]): string[] => {
  const fields = causes.flatMap(({ field, message }) =>
    field === undefined || field === '<nil>' || saysAgain(message) ? [] : field,
  )
  return [...new Set(fields)].sort()
}

/** Both verdicts in one form, to be equal. */
function compared(reply: Reply, verdict: Verdict, acceptedCode: number) {
  const theirs = fieldsOf(reply.body.details?.causes ?? [])
  const ours = fieldsOf(verdict.causes)
  // Ours stops at CAUSES_MAX, in an order of its own.
  const isCut = verdict.causes.length >= CAUSES_MAX
  const spec = (object: { spec?: unknown }) => (verdict.isAccepted ? object.spec : undefined)
  return {
    theirs: { code: reply.code, fields: isCut ? ours : theirs, unknown: reply.warnings, spec: spec(reply.body) },
    ours: {
      code: verdict.isAccepted ? acceptedCode : 422,
      fields: ours,
      unknown: [...verdict.unknown].sort(),
      spec: spec(verdict.object),
    },
  }
}

const absence = oracleAbsence()

describe.skipIf(absence !== undefined)(`the oracle${absence === undefined ? '' : ` (skipped: ${absence})`}`, () => {
  let oracle: Oracle

  beforeAll(async () => {
    oracle = await startOracle()
    for (const [file, text] of generatedFiles()) {
      // Pages and examples are generated too.
      if (!file.startsWith('crds/')) continue
      const crd: unknown = parse(text)
      const reply = await oracle.send('POST', CRDS, crd)
      expect(reply.body.message ?? '', 'the oracle refuses a CRD').toBe('')
      expect(reply.code).toBe(201)
    }
    for (const kind of KINDS) await established(oracle, kind)
  })

  afterAll(async () => {
    await oracle?.stop()
  })

  it.each(KINDS.map((kind) => [kind.kind, kind] as const))('CRD1 agrees on creates of %s', async (_, kind) => {
    const spec = schemaOf(kind).properties?.['spec'] ?? {}
    let count = 0
    for (const percent of [0, 4, 12]) {
      for (const value of fc.sample(arbitraryOf(spec, { percent }), { seed: SEED, numRuns: 25 })) {
        count += 1
        await compareCreate(oracle, kind, objectOf(kind, `c-${count}`, value))
      }
    }
  })

  it.each(KINDS.map((kind) => [kind.kind, kind] as const))('CRD2 agrees on status writes of %s', async (_, kind) => {
    const good = await goodObject(oracle, kind)
    const status = schemaOf(kind).properties?.['status'] ?? {}
    for (const percent of [0, 6]) {
      for (const value of fc.sample(arbitraryOf(status, { percent }), { seed: SEED, numRuns: 25 })) {
        // A status that is null or no object goes by rules of the server, not of the schema.
        if (typeof value !== 'object' || value === null || Array.isArray(value)) continue
        const url = `${collectionOf(kind)}/${good.metadata.name}`
        const { metadata } = (await oracle.send('GET', url)).body
        const sent = { ...good, metadata: { ...good.metadata, ...metadata }, status: value }
        const reply = await oracle.send('PUT', `${url}/status`, sent)
        const { theirs, ours } = compared(reply, verdictOf(kind, sent, verdictOf(kind, good).object), 200)
        expect(theirs, JSON.stringify(value)).toEqual(ours)
      }
    }
  })

  it.each(TRANSITIONS)('CRD3 agrees on an update: $what', async ({ kind: name, from, to, isAccepted }) => {
    const kind = KINDS.find((known) => known.kind === name)
    if (kind === undefined) throw new Error(`no kind ${name}`)
    const object = objectOf(kind, `t-${TRANSITIONS.findIndex((one) => one.to === to)}`, from)
    const created = await oracle.send('POST', collectionOf(kind), object)
    expect(created.code).toBe(201)
    const old = verdictOf(kind, object).object
    const sent = { ...object, metadata: { ...object.metadata, ...created.body.metadata }, spec: to }
    const reply = await oracle.send('PUT', `${collectionOf(kind)}/${object.metadata.name}`, sent)
    const verdict = verdictOf(kind, sent, old)
    const { theirs, ours } = compared(reply, verdict, 200)
    expect(theirs).toEqual(ours)
    expect(verdict.isAccepted).toBe(isAccepted)
  })

  it.each(NAMES)('CRD4 agrees on the name of a %s: %s', async (kindName, name, spec) => {
    const kind = KINDS.find((known) => known.kind === kindName)
    if (kind === undefined) throw new Error(`no kind ${kindName}`)
    await compareCreate(oracle, kind, objectOf(kind, name, spec))
  })

  it('CRD5 agrees on an object without a spec, with a null one and with a list for one', async () => {
    for (const kind of KINDS) {
      for (const [index, spec] of [undefined, null, []].entries()) {
        await compareCreate(oracle, kind, objectOf(kind, `s-${index}`, spec))
      }
    }
  })

  it('CRD6 starts a new object with status.observedGeneration -1', async () => {
    for (const kind of KINDS) {
      const reply = await oracle.send(
        'GET',
        `${collectionOf(kind)}/${(await goodObject(oracle, kind, 'fresh')).metadata.name}`,
      )
      expect(reply.body.status).toEqual({ observedGeneration: -1 })
    }
  })
})

/** Updates of an object from one spec to another. */
const TRANSITIONS: readonly { what: string; kind: string; from: Json; to: Json; isAccepted: boolean }[] = [
  {
    what: 'agentType of a sprite changes',
    kind: 'Sprite',
    from: { agentType: 'copywriter' },
    to: { agentType: 'editor' },
    isAccepted: false,
  },
  {
    what: 'a sprite gets a project',
    kind: 'Sprite',
    from: { agentType: 'copywriter' },
    to: { agentType: 'copywriter', project: 'q1' },
    isAccepted: false,
  },
  {
    what: 'run policy of a sprite changes',
    kind: 'Sprite',
    from: { agentType: 'copywriter', project: 'q1' },
    to: { agentType: 'copywriter', project: 'q1', runPolicy: 'Stopped' },
    isAccepted: true,
  },
  {
    what: 'work is cancelled',
    kind: 'Work',
    from: { type: 'a', description: 'd', agentType: 'editor' },
    to: { type: 'a', description: 'd', agentType: 'editor', cancelled: true },
    isAccepted: true,
  },
  {
    what: 'cancelled work is revived, as another type',
    kind: 'Work',
    from: { type: 'a', description: 'd', agentType: 'editor', cancelled: true },
    to: { type: 'b', description: 'd', agentType: 'editor' },
    isAccepted: false,
  },
  {
    what: 'cancelled work is revived by a larger count of retries',
    kind: 'Work',
    from: { type: 'a', description: 'd', agentType: 'editor', cancelled: true },
    to: { type: 'a', description: 'd', agentType: 'editor', cancelled: false, retries: 1 },
    isAccepted: true,
  },
  {
    what: 'cancelled work is revived by the same count of retries',
    kind: 'Work',
    from: { type: 'a', description: 'd', agentType: 'editor', cancelled: true, retries: 1 },
    to: { type: 'a', description: 'd', agentType: 'editor', cancelled: false, retries: 1 },
    isAccepted: false,
  },
  {
    what: 'the reviewer of a review changes',
    kind: 'Review',
    from: { work: 'w', artifact: 'a', question: 'q', reviewer: 'editor' },
    to: { work: 'w', artifact: 'a', question: 'q', reviewer: 'person' },
    isAccepted: false,
  },
]

/** Names that CEL rules at the root look at. */
const NAMES: readonly (readonly [kind: string, name: string, spec: Json])[] = [
  ['Tenant', 'acme-corp', { displayName: 'Acme', plan: 'growth' }],
  ['Tenant', 'acme.corp', { displayName: 'Acme', plan: 'growth' }],
  ['Tenant', 'a'.repeat(41), { displayName: 'Acme', plan: 'growth' }],
  ['Sprite', 'copy.writer', { agentType: 'copywriter' }],
  ['Sprite', 'a'.repeat(40), { agentType: 'copywriter' }],
  ['Project', 'a'.repeat(31), { displayName: 'Q1', brief: 'Reach people.' }],
]

async function compareCreate(oracle: Oracle, kind: KindDefinition, sent: Sent): Promise<void> {
  const reply = await oracle.send('POST', `${collectionOf(kind)}?fieldValidation=Warn`, sent)
  const { theirs, ours } = compared(reply, verdictOf(kind, sent), 201)
  expect(theirs, JSON.stringify(sent)).toEqual(ours)
}

/** A stored object of a kind that is as it should be. */
async function goodObject(oracle: Oracle, kind: KindDefinition, prefix = 'good') {
  const spec = schemaOf(kind).properties?.['spec'] ?? {}
  for (const [index, value] of fc.sample(arbitraryOf(spec, { percent: 0 }), { seed: SEED, numRuns: 50 }).entries()) {
    const object = objectOf(kind, `${prefix}-${kind.plural}-${index}`, value)
    const existing = await oracle.send('GET', `${collectionOf(kind)}/${object.metadata.name}`)
    if (existing.code === 200) return object
    if ((await oracle.send('POST', collectionOf(kind), object)).code === 201) return object
  }
  throw new Error(`none of 50 objects of kind ${kind.kind} was accepted`)
}

type Crd = { readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] } }

async function established(oracle: Oracle, kind: KindDefinition): Promise<void> {
  const until = { timeout: 20_000, interval: 100 }
  await vi.waitFor(async () => {
    const { body } = await oracle.send('GET', `${CRDS}/${resourceName(kind)}`)
    // A CRD's status has conditions; what is absent is simply not yet established.
    const conditions = (body as Crd).status?.conditions ?? []
    expect(conditions).toContainEqual(expect.objectContaining({ type: 'Established', status: 'True' }))
  }, until)
  // Established comes a moment before the endpoint is served.
  await vi.waitFor(async () => expect((await oracle.send('GET', collectionOf(kind))).code).toBe(200), until)
}
