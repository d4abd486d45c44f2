/** Random writes by several managers to our server and to a genuine Kubernetes one: what a client sees must be the same. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { resourceName, type KindDefinition } from '../controller/api/define-kind.ts'
import { crdOf, resourceOf } from '../controller/api/resource-of.ts'
import { makeNamespace, testServer, type TestServer } from '../controller/server/testing.ts'
import { drawOf, nextStep, SUBJECTS, type Live, type Step, type Subject } from './apply-steps.ts'
import { oracleAbsence, startOracle, type Oracle } from './oracle.ts'

const CRDS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
/** Steps in all; APPLY_STEPS asks for more. */
const STEPS = Number(process.env['APPLY_STEPS'] ?? 2_400)
const STEPS_PER_OBJECT = 15
const SEED = Number(process.env['APPLY_SEED'] ?? 20261122)
/** Differences that are collected before a run gives up. */
const DIFFERENCES_MAX = Number(process.env['APPLY_DIFFERENCES'] ?? 3)

type Body = {
  readonly metadata?: Record<string, unknown>
  readonly reason?: string
  readonly message?: string
  readonly details?: {
    readonly causes?: readonly { readonly reason?: string; readonly field?: string; readonly message?: string }[]
  }
}
type Answer = { readonly code: number; readonly body: Body }
type Send = (step: Step, body: unknown) => Promise<Answer>
type Side = { readonly send: Send; live: (Live & Body) | undefined }

const collectionOf = (kind: KindDefinition): string =>
  `/apis/${kind.apiVersion}/${kind.scope === 'Namespaced' ? 'namespaces/acme/' : ''}${kind.plural}`

const oursTo =
  (server: TestServer, collection: string): Send =>
  async ({ method, path, contentType }, body) => {
    const headers = { 'content-type': contentType, 'user-agent': 'fuzz/1' }
    const { status, body: answer } = await server.send(method, collection + path, {
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    return { code: status, body: answer as Body } // every answer of the API is an object
  }

const theirsTo =
  (oracle: Oracle, collection: string): Send =>
  async ({ method, path, contentType }, body) => {
    const { code, body: answer } = await oracle.send(method, collection + path, body, contentType)
    return { code, body: answer as Body } // as above
  }

/** Server-given values that differ by nature; whether an entry has a time is compared, which time is not. */
const VOLATILE = ['uid', 'resourceVersion', 'creationTimestamp', 'deletionTimestamp']

type Entry = {
  readonly time?: string
  readonly manager?: string
  readonly operation?: string
  readonly subresource?: string
}

function seen({ code, body }: Answer): unknown {
  if (code >= 400) {
    // Kubernetes adds a cause without a field for what another says; its unexpected errors have no reason.
    const causes = (body.details?.causes ?? []).map(({ reason, field, message }) =>
      reason === 'FieldManagerConflict' ? `${message}: ${field}` : (field ?? '<nil>'),
    )
    return {
      code,
      reason: code === 500 ? '' : body.reason,
      causes: [...new Set(causes)].filter((cause) => cause !== '<nil>').sort(),
    }
  }
  const metadata = body.metadata
  if (metadata === undefined || body.details !== undefined) return { code }
  const kept = Object.fromEntries(Object.entries(metadata).filter(([name]) => !VOLATILE.includes(name)))
  const entries = (metadata['managedFields'] ?? []) as readonly Entry[] // as metav1 has it
  const managedFields = entries
    .map((entry) => ({ ...entry, time: entry.time === undefined ? 'none' : 'some' }))
    .sort((left, right) => (idOf(left) < idOf(right) ? -1 : 1))
  return { code, object: { ...body, metadata: { ...kept, managedFields } } }
}

const idOf = ({ operation, manager, subresource }: Entry): string => JSON.stringify([operation, manager, subresource])

const isObject = ({ code, body }: Answer): boolean => code < 300 && body.metadata?.['name'] !== undefined

/** Whether a write moved resourceVersion; undefined where that says nothing. */
const moved = (side: Side, answer: Answer): boolean | undefined =>
  isObject(answer) && side.live !== undefined
    ? answer.body.metadata?.['resourceVersion'] !== side.live.metadata.resourceVersion
    : undefined

/**
 * Kubernetes stores some objects anew that have not changed: defaults that it fills in on reading, such as the first
 * status, are not in what it stored. That is its own affair: a client sees the same object with a new version.
 */
const isRewritten = (side: Side, answer: Answer): boolean =>
  side.live !== undefined && sameJson(seen({ code: 200, body: side.live }), seen({ code: 200, body: answer.body }))

type Difference = {
  readonly step: unknown
  readonly before: unknown
  readonly ours: unknown
  readonly theirs: unknown
  readonly said: unknown
}

/** Runs the steps of one object on both sides until they differ. */
async function compareObject(
  subject: Subject,
  name: string,
  {
    draw,
    ours,
    theirs,
    codes,
  }: {
    readonly draw: ReturnType<typeof drawOf>
    readonly ours: Side
    readonly theirs: Side
    readonly codes: Map<string, number>
  },
): Promise<Difference | undefined> {
  for (let count = 0; count < STEPS_PER_OBJECT; count++) {
    const step = nextStep(subject, name, draw, theirs.live !== undefined)
    const body = step.body(theirs.live)
    const [mine, its] = await Promise.all([ours.send(step, step.body(ours.live)), theirs.send(step, body)])
    const tally = (label: string): void => void codes.set(label, (codes.get(label) ?? 0) + 1)
    const label = `${step.method} ${step.contentType.replace('application/', '')} ${its.code}`
    tally(label)
    const isDry = step.path.includes('dryRun')
    // A deletion that is done answers a Status; one that waits for finalizers, or ends with the last, an object.
    const isGone =
      its.code < 300 &&
      (!isObject(its) || (its.body.metadata?.['deletionTimestamp'] !== undefined && noFinalizers(its)))
    const left = { seen: isGone ? mine.code : seen(mine), moved: isDry || isGone ? undefined : moved(ours, mine) }
    const right = { seen: isGone ? its.code : seen(its), moved: isDry || isGone ? undefined : moved(theirs, its) }
    if (left.moved === false && right.moved === true && isRewritten(theirs, its)) {
      right.moved = false
      tally('rewritten')
    }
    if (!sameJson(left, right))
      return {
        step: { ...step, body },
        before: theirs.live,
        ours: left,
        theirs: right,
        said: [mine.body.message, its.body.message],
      }
    if (isDry || its.code >= 300) continue
    ours.live = isGone ? undefined : (mine.body as Live & Body)
    theirs.live = isGone ? undefined : (its.body as Live & Body)
  }
  return undefined
}

const noFinalizers = ({ body }: Answer): boolean =>
  ((body.metadata?.['finalizers'] ?? []) as readonly unknown[]).length === 0

const sameJson = (left: unknown, right: unknown): boolean => sorted(left) === sorted(right)

const sorted = (value: unknown): string =>
  JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([one], [other]) => (one < other ? -1 : 1)))
      : inner,
  )

const absence = oracleAbsence()

describe.skipIf(absence !== undefined)(
  `apply and the oracle${absence === undefined ? '' : ` (skipped: ${absence})`}`,
  () => {
    let oracle: Oracle
    let server: TestServer

    beforeAll(async () => {
      oracle = await startOracle()
      server = testServer()
      await makeNamespace(server)
      for (const { kind } of SUBJECTS) {
        expect((await oracle.send('POST', CRDS, crdOf(resourceOf(kind), kind.reasons))).code).toBe(201)
        await established(oracle, kind)
      }
    })

    afterAll(async () => {
      await oracle?.stop()
    })

    it.each(SUBJECTS.map((subject) => [subject.kind.kind, subject] as const))(
      'AP20 agrees on random writes of %s: objects, managedFields, codes, reasons, causes, resourceVersion',
      { timeout: 1_000_000 },
      async (_, subject) => {
        const draw = drawOf(SEED + SUBJECTS.indexOf(subject))
        const codes = new Map<string, number>()
        const differences: Difference[] = []
        const objects = Math.ceil(STEPS / SUBJECTS.length / STEPS_PER_OBJECT)
        const collection = collectionOf(subject.kind)
        for (let index = 0; index < objects && differences.length < DIFFERENCES_MAX; index++) {
          const ours: Side = { send: oursTo(server, collection), live: undefined }
          const theirs: Side = { send: theirsTo(oracle, collection), live: undefined }
          const difference = await compareObject(subject, `f-${index}`, { draw, ours, theirs, codes })
          if (difference !== undefined) differences.push(difference)
        }
        if (process.env['APPLY_STEPS'] !== undefined) console.log(subject.kind.kind, Object.fromEntries(codes))
        expect(differences.map((difference) => JSON.stringify(difference)).join('\n')).toBe('')
      },
    )
  },
)

async function established(oracle: Oracle, kind: KindDefinition): Promise<void> {
  const until = { timeout: 20_000, interval: 100 }
  await vi.waitFor(async () => expect((await oracle.send('GET', collectionOf(kind))).code).toBe(200), until)
  await vi.waitFor(
    async () => expect((await oracle.send('GET', `${CRDS}/${resourceName(kind)}`)).code).toBe(200),
    until,
  )
}
