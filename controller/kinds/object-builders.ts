/** Builds objects of every kind for tests: valid as they are, with overrides for what a test is about. Pure. */
import { CONTROLLER_ACTOR, relatedFrom, type Actor, type Admission, type Operation } from '../api/admission.ts'
import { API_VERSION } from '../api/define-kind.ts'
import type { KubeObject, ObjectMeta } from '../api/object.ts'
import type { AccessToken } from './accesstoken/schema.ts'
import { shortHash } from './names.ts'
import type { PersonaObject } from './persona/schema.ts'
import { BUILTIN_PLANS } from './plan/builtin.ts'
import type { Plan, PlanSpec } from './plan/schema.ts'
import type { Project } from './project/schema.ts'
import type { Review } from './review/schema.ts'
import type { SlotLedger } from './slotledger/schema.ts'
import type { Sprite } from './sprite/schema.ts'
import type { Tenant } from './tenant/schema.ts'
import type { User } from './user/schema.ts'
import type { Work } from './work/schema.ts'

/** The tenant that everything belongs to unless a test says otherwise. */
export const TEST_TENANT = 'acme'
/** 2026-01-15T12:00:00Z, where a TestClock starts. */
export const TEST_NOW_MS = 1_768_478_400_000
export const TEST_NOW = '2026-01-15T12:00:00Z'
/** Agent types with a built-in persona. */
export const TEST_AGENT_TYPES: ReadonlySet<string> = new Set(['director', 'strategist', 'copywriter', 'editor', 'seo'])

type Over<O extends KubeObject> = {
  readonly metadata?: Partial<ObjectMeta>
  readonly spec?: O extends KubeObject<infer Spec> ? Partial<Spec> : never
  readonly status?: O['status']
}

function build<O extends KubeObject>(
  kind: string,
  name: string,
  spec: O['spec'],
  over: Over<O>,
  scope = 'Namespaced',
): O {
  const object: KubeObject = {
    apiVersion: API_VERSION,
    kind,
    metadata: {
      name,
      ...(scope === 'Namespaced' ? { namespace: TEST_TENANT } : {}),
      uid: `${kind.toLowerCase()}-${shortHash(name)}`,
      resourceVersion: '1',
      generation: 1,
      creationTimestamp: '2026-01-01T00:00:00Z',
      ...over.metadata,
    },
    spec: { ...(spec as object), ...(over.spec as object | undefined) },
    ...(over.status === undefined ? {} : { status: over.status }),
  }
  return object as O // spec and overrides are those of the kind
}

const starter = (name: string): PlanSpec => {
  const spec = BUILTIN_PLANS.get(name) ?? BUILTIN_PLANS.get('starter')
  if (spec === undefined) throw new RangeError('There is always a starter plan')
  return spec
}

/** A Plan: the built-in one of that name, else a starter. */
export const planOf = (name: string, over: Over<Plan> = {}): Plan =>
  build<Plan>('Plan', name, starter(name), over, 'Cluster')

/** The three built-in plans. */
export const allPlans = (): readonly Plan[] => [...BUILTIN_PLANS.keys()].map((name) => planOf(name))

/** A Tenant on plan growth. */
export const tenantOf = (over: Over<Tenant> = {}): Tenant =>
  build<Tenant>(
    'Tenant',
    TEST_TENANT,
    { displayName: 'Acme', plan: 'growth', config: {}, brand: {}, suspend: false },
    over,
    'Cluster',
  )

export const userOf = (name: string, over: Over<User> = {}): User =>
  build<User>('User', name, { email: `${name}@acme.test`, role: 'member' }, over)

/** A token of the role member, by a key id that is all zeros. */
export const accessTokenOf = (name: string, over: Over<AccessToken> = {}): AccessToken =>
  build<AccessToken>('AccessToken', name, { keyId: '0'.repeat(16), sha256: '0'.repeat(64), role: 'member' }, over)

export const personaOf = (name: string, over: Over<PersonaObject> = {}): PersonaObject =>
  build<PersonaObject>(
    'Persona',
    name,
    {
      description: 'Does things',
      effort: 'medium',
      maxTokens: 8192,
      tools: ['deliver'],
      mayHandOffTo: [],
      prompt: 'You do things, and you do them well.',
    },
    over,
  )

export const projectOf = (name: string, over: Over<Project> = {}): Project =>
  build<Project>(
    'Project',
    name,
    { displayName: name, brief: 'Do it', agentsNeeded: [], runPolicy: 'OnDemand', suspend: false, work: [] },
    over,
  )

export const spriteOf = (name: string, over: Over<Sprite> = {}): Sprite =>
  build<Sprite>('Sprite', name, { agentType: 'copywriter', runPolicy: 'OnDemand' }, over)

export const workOf = (name: string, over: Over<Work> = {}): Work =>
  build<Work>(
    'Work',
    name,
    {
      type: 'write_copy',
      description: 'Write',
      agentType: 'copywriter',
      priority: 0,
      maxAttempts: 3,
      cancelled: false,
    },
    over,
  )

export const reviewOf = (name: string, over: Over<Review> = {}): Review =>
  build<Review>('Review', name, { work: 'w1', artifact: 'copy', question: 'Good?', reviewer: 'editor' }, over)

export const slotLedgerOf = (over: Over<SlotLedger> = {}): SlotLedger =>
  build<SlotLedger>('SlotLedger', 'slots', {}, over)

/** A person of the tenant. */
export const PERSON_ACTOR: Actor = { name: 'ada@acme.test', groups: ['tenant:acme'] }

export type AdmitCase<O extends KubeObject> = {
  readonly object: O
  readonly old?: O
  readonly operation?: Operation
  readonly isController?: boolean
  /** Everything else that there is. */
  readonly world?: readonly KubeObject[]
}

/** Runs an admission with exactly the related objects that it asked for; gives `reason field: message` lines. */
export function admitLines<O extends KubeObject>(admission: Admission<O>, given: AdmitCase<O>): readonly string[] {
  const { object, old, world = [] } = given
  const operation = given.operation ?? (old === undefined ? 'CREATE' : 'UPDATE')
  const needs = admission.needs(object, old, operation)
  const seen = world.filter((one) =>
    needs.some((need) => {
      const namespace = 'key' in need ? need.key.namespace : need.namespace
      const isNamed = !('key' in need) || need.key.name === one.metadata.name
      return need.kind.kind === one.kind && namespace === (one.metadata.namespace ?? '') && isNamed
    }),
  )
  const request = {
    operation,
    object,
    ...(old === undefined ? {} : { old }),
    actor: given.isController === true ? CONTROLLER_ACTOR : PERSON_ACTOR,
    nowMs: TEST_NOW_MS,
    builtinAgentTypes: TEST_AGENT_TYPES,
  }
  return admission
    .admit(request, relatedFrom(seen))
    .map(({ reason, field, message }) => `${reason} ${field}: ${message}`)
}
