/** Tests of admission for Plan, Tenant, User, Persona, Review, SlotLedger and of what all kinds share. */
import { describe, expect, test } from 'vitest'
import type { KubeObject } from '../api/object.ts'
import { ADMISSIONS, RESOURCES } from './index.ts'
import { KINDS } from './kinds.ts'
import {
  admitLines,
  allPlans,
  personaOf,
  planOf,
  projectOf,
  reviewOf,
  slotLedgerOf,
  spriteOf,
  tenantOf,
  userOf,
  workOf,
  type AdmitCase,
} from './object-builders.ts'

type Row = AdmitCase<KubeObject> & { readonly refused: readonly string[] }

const KEY_REF = { name: 'anthropic', key: 'apiKey' }
const PROTECTED = { annotations: { 'sprites.highera.com/protected': 'true' } }
const enterprise = tenantOf({ spec: { plan: 'enterprise' } })
const going = tenantOf({ metadata: { deletionTimestamp: '2026-01-15T11:00:00Z' } })

const rows: Record<string, Row> = {
  'AD1 a tenant on a plan that exists is admitted': { object: tenantOf(), world: allPlans(), refused: [] },
  'AD6 a tenant named like a namespace of the control plane is refused': {
    object: tenantOf({ metadata: { name: 'default' } }),
    world: allPlans(),
    refused: [
      'Invalid metadata.name: Cannot name a tenant "default": a namespace of the control plane has this name; choose another',
    ],
  },
  'AD1 a misspelt plan is refused with the nearest name': {
    object: tenantOf({ spec: { plan: 'grwth' } }),
    world: allPlans(),
    refused: ['Invalid spec.plan: Cannot use plan "grwth": no Plan has this name; did you mean "growth"?'],
  },
  'AD1 a far-off plan is refused with what there is': {
    object: tenantOf({ spec: { plan: 'x' } }),
    world: allPlans(),
    refused: [
      'Invalid spec.plan: Cannot use plan "x": no Plan has this name; there is "enterprise", "growth", "starter"',
    ],
  },
  'AD2 config at the limit of the plan is admitted': {
    object: tenantOf({
      spec: { config: { maxConcurrentSprites: 4, monthlyTokenBudget: 10_000_000, spriteIdleTimeoutSeconds: 300 } },
    }),
    world: allPlans(),
    refused: [],
  },
  'AD2 each number above the plan is refused with the plan that would allow it': {
    object: tenantOf({
      spec: { config: { maxConcurrentSprites: 5, monthlyTokenBudget: 10_000_001, spriteIdleTimeoutSeconds: 9_999 } },
    }),
    world: allPlans(),
    refused: [
      'Forbidden spec.config.maxConcurrentSprites: Cannot set maxConcurrentSprites to "5": plan "growth" allows 4 concurrent sprites; ask for at most 4, or plan "enterprise" would allow it',
      'Forbidden spec.config.monthlyTokenBudget: Cannot set monthlyTokenBudget to "10000001": plan "growth" allows 10000000 tokens a month; ask for at most 10000000, or plan "enterprise" would allow it',
      'Forbidden spec.config.spriteIdleTimeoutSeconds: Cannot set spriteIdleTimeoutSeconds to "9999": plan "growth" allows 300 seconds of idle time; ask for at most 300: no plan allows it',
    ],
  },
  'AD91 a sprite in no tenant’s namespace says where it belongs': {
    object: spriteOf('s', { metadata: { namespace: 'default' } }),
    world: allPlans(),
    refused: [
      'Invalid metadata.namespace: Cannot create Sprite in namespace "default": name its tenant in metadata.namespace, or with -n',
    ],
  },
  'AD2 unlimited in the plan takes any budget': {
    object: tenantOf({ spec: { plan: 'enterprise', config: { monthlyTokenBudget: 10 ** 12 } } }),
    world: allPlans(),
    refused: [],
  },
  'AD2 a move to a smaller plan is refused while the config is above it': {
    object: tenantOf({ spec: { plan: 'starter', config: { maxConcurrentSprites: 3 } } }),
    old: tenantOf({ spec: { config: { maxConcurrentSprites: 3 } } }),
    world: allPlans(),
    refused: [
      'Forbidden spec.config.maxConcurrentSprites: Cannot set maxConcurrentSprites to "3": plan "starter" allows 2 concurrent sprites; ask for at most 2, or plan "growth" would allow it',
    ],
  },
  'AD3 more enabled agents than the plan has types are refused': {
    object: tenantOf({ spec: { plan: 'starter', config: { enabledAgents: ['a', 'b', 'c', 'd'] } } }),
    world: allPlans(),
    refused: [
      'Forbidden spec.config.enabledAgents: Cannot set enabledAgents to "4": plan "starter" allows 3 agent types; ask for at most 3, or plan "growth" would allow it',
    ],
  },
  'AD93 a brand is changed though the plan has become smaller than the config': {
    object: tenantOf({ spec: { brand: { voice: 'warm' }, config: { maxConcurrentSprites: 9 } } }),
    old: tenantOf({ spec: { config: { maxConcurrentSprites: 9 } } }),
    world: allPlans(),
    refused: [],
  },
  'AD93 a tenant whose plan is gone can still change its brand': {
    object: tenantOf({ spec: { plan: 'gone', brand: { voice: 'warm' } } }),
    old: tenantOf({ spec: { plan: 'gone' } }),
    world: allPlans(),
    refused: [],
  },
  'AD5 an Anthropic key of the tenant’s own needs a plan that sells it': {
    object: tenantOf({ spec: { config: { anthropicKeySecretRef: KEY_REF } } }),
    world: allPlans(),
    refused: [
      'Forbidden spec.config.anthropicKeySecretRef: Cannot set anthropicKeySecretRef: plan "growth" has no Anthropic key of the tenant’s own; leave it out, or plan "enterprise" would allow it',
    ],
  },
  'AD5 an enterprise tenant brings its own Anthropic key': {
    object: tenantOf({ spec: { plan: 'enterprise', config: { anthropicKeySecretRef: KEY_REF } } }),
    world: allPlans(),
    refused: [],
  },
  'AD5 a key that was admitted once is not judged again': {
    object: tenantOf({ spec: { config: { anthropicKeySecretRef: KEY_REF }, brand: { voice: 'warm' } } }),
    old: tenantOf({ spec: { config: { anthropicKeySecretRef: KEY_REF } } }),
    world: allPlans(),
    refused: [],
  },
  'AD5 a move to a plan without is refused with the key': {
    object: tenantOf({ spec: { config: { anthropicKeySecretRef: KEY_REF } } }),
    old: tenantOf({ spec: { plan: 'enterprise', config: { anthropicKeySecretRef: KEY_REF } } }),
    world: allPlans(),
    refused: [
      'Forbidden spec.config.anthropicKeySecretRef: Cannot set anthropicKeySecretRef: plan "growth" has no Anthropic key of the tenant’s own; leave it out, or plan "enterprise" would allow it',
    ],
  },
  'AD4 a protected tenant at work is not deleted': {
    object: tenantOf({ metadata: PROTECTED }),
    operation: 'DELETE',
    world: [workOf('w1', { status: { phase: 'InProgress' } }), workOf('w2', { status: { phase: 'Pending' } })],
    refused: [
      'Forbidden metadata.annotations: Cannot delete tenant "acme": it is protected and work is in progress (w1); wait, cancel the work, or remove annotation sprites.highera.com/protected',
    ],
  },
  'AD4 a protected tenant at rest is deleted': {
    object: tenantOf({ metadata: PROTECTED }),
    operation: 'DELETE',
    world: [workOf('w1', { status: { phase: 'Completed' } })],
    refused: [],
  },
  'AD4 an unprotected tenant is deleted at work': {
    object: tenantOf(),
    operation: 'DELETE',
    world: [workOf('w1', { status: { phase: 'InProgress' } })],
    refused: [],
  },
  'AD10 a plan that tenants have is not deleted': {
    object: planOf('growth'),
    operation: 'DELETE',
    world: ['f', 'e', 'd', 'c', 'b', 'a'].map((name) => tenantOf({ metadata: { name } })),
    refused: [
      'Forbidden metadata.name: Cannot delete plan "growth": tenants have it ("a", "b", "c", "d", "e" and 1 more); move them to another plan first',
    ],
  },
  'AD10 a plan that nobody has is deleted': {
    object: planOf('starter'),
    operation: 'DELETE',
    world: [tenantOf()],
    refused: [],
  },
  'AD10 a limit is lowered below what tenants have': {
    object: planOf('growth', { spec: { concurrentSprites: 1 } }),
    old: planOf('growth'),
    world: [tenantOf()],
    refused: [],
  },
  'AD20 an e-mail address in use is refused whatever its case': {
    object: userOf('ada2', { spec: { email: 'ADA@acme.test' } }),
    world: [tenantOf(), ...allPlans(), userOf('ada')],
    refused: [
      'Invalid spec.email: Cannot use e-mail "ADA@acme.test": User "ada" has it; change that User or use another address',
    ],
  },
  'AD20 a user keeps its own address': {
    object: userOf('ada', { spec: { role: 'admin' } }),
    old: userOf('ada'),
    world: [tenantOf(), ...allPlans(), userOf('ada')],
    refused: [],
  },
  'AD30 a persona on a plan without custom personas is refused': {
    object: personaOf('poet'),
    world: [tenantOf(), ...allPlans()],
    refused: [
      'Forbidden spec: Cannot declare persona "poet": plan "growth" has no custom personas; use a built-in agent type, or plan "enterprise" would allow it',
    ],
  },
  'AD31 hand-offs to built-in types, other personas and itself are admitted': {
    object: personaOf('poet', { spec: { mayHandOffTo: ['editor', 'muse', 'poet'] } }),
    world: [enterprise, ...allPlans(), personaOf('muse')],
    refused: [],
  },
  'AD31 a hand-off to nobody is refused with the nearest name': {
    object: personaOf('poet', { spec: { mayHandOffTo: ['editor', 'edtor'] } }),
    world: [enterprise, ...allPlans()],
    refused: [
      'Invalid spec.mayHandOffTo[1]: Cannot hand off to agent type "edtor": no persona has this name; did you mean "editor"?',
    ],
  },
  'AD70 a review of work that is there is admitted': {
    object: reviewOf('r'),
    world: [tenantOf(), ...allPlans(), workOf('w1')],
    refused: [],
  },
  'AD70 a review of no work is refused': {
    object: reviewOf('r', { spec: { reviewer: 'person' } }),
    world: [tenantOf(), ...allPlans(), workOf('w2')],
    refused: ['Invalid spec.work: Cannot review work "w1": no Work has this name; did you mean "w2"?'],
  },
  'AD71 an unknown reviewer is refused': {
    object: reviewOf('r', { spec: { reviewer: 'editr' } }),
    world: [tenantOf(), ...allPlans(), workOf('w1')],
    refused: ['Invalid spec.reviewer: Cannot use agent type "editr": no persona has this name; did you mean "editor"?'],
  },
  'AD71 an answer is admitted though the work is gone': {
    object: reviewOf('r', { spec: { answer: { verdict: 'Approved' } } }),
    old: reviewOf('r'),
    world: [],
    refused: [],
  },
  'AD80 a person does not write a slot ledger, not even its annotations': {
    object: slotLedgerOf({ metadata: PROTECTED }),
    old: slotLedgerOf(),
    refused: [
      `Forbidden metadata.name: Cannot write SlotLedger "slots" as "ada@acme.test": the control plane alone keeps it; change the Plan or the Tenant's config instead`,
    ],
  },
  'AD80 the control plane writes slot ledgers': { object: slotLedgerOf(), isController: true, refused: [] },
}

const admit = (given: AdmitCase<KubeObject>): readonly string[] => {
  const admission = ADMISSIONS.get(given.object.kind)
  return admission === undefined ? ['no admission'] : admitLines(admission, given)
}

describe('admission', () => {
  test.each(Object.entries(rows))('%s', (_, { refused, ...given }) => {
    expect(admit(given)).toEqual(refused)
  })

  const bound = Object.entries(rows).filter(([title, { refused }]) => refused.length > 0 && !title.startsWith('AD80'))
  test.each(bound)('AD94 the control plane too: %s', (_, { refused, ...given }) => {
    expect(admit({ ...given, isController: true })).toEqual(refused)
  })

  const everyKind = [
    planOf('odd', { spec: { concurrentSprites: 99 } }),
    tenantOf({ spec: { plan: 'none', config: { maxConcurrentSprites: 99 } } }),
    userOf('ada'),
    personaOf('poet', { spec: { mayHandOffTo: ['nobody'] } }),
    projectOf('p', { spec: { agentsNeeded: ['nobody'] } }),
    spriteOf('s', { spec: { agentType: 'nobody', project: 'none' } }),
    workOf('w', { spec: { agentType: 'nobody', priority: 9, dependsOn: ['w'] } }),
    reviewOf('r', { spec: { reviewer: 'nobody' } }),
  ]
  test.each(everyKind.map((object) => [object.kind, object]))(
    'AD90 %s: an update that leaves spec alone is never refused and reads nothing',
    (kind, object) => {
      const old = { ...object, metadata: { ...object.metadata, finalizers: ['x'] } }
      expect(ADMISSIONS.get(kind)?.needs(object, old, 'UPDATE')).toEqual([])
      expect(admit({ object, old, world: [] })).toEqual([])
    },
  )

  const namespaced = [userOf('u'), personaOf('x'), projectOf('p'), spriteOf('s'), workOf('w'), reviewOf('r')]
  test.each(namespaced.map((object) => [object.kind, object]))('AD91 %s: nothing without a tenant', (kind, object) => {
    expect(admit({ object, world: allPlans() })).toEqual([
      `Invalid metadata.namespace: Cannot create ${kind} in namespace "acme": no Tenant has this name; apply Tenant "acme" first`,
    ])
  })
  test.each(namespaced.map((object) => [object.kind, object]))('AD91 %s: nothing without a plan', (kind, object) => {
    expect(admit({ object, world: [tenantOf()] })).toEqual([
      `Invalid metadata.namespace: Cannot create ${kind} in namespace "acme": plan "growth" of its Tenant does not exist; apply the Plan first`,
    ])
  })
  test.each(namespaced.map((object) => [object.kind, object]))(
    'AD92 %s: nothing into a going tenant',
    (kind, object) => {
      expect(admit({ object, world: [going, ...allPlans()], isController: true })).toEqual([
        `Forbidden metadata.namespace: Cannot create ${kind} in namespace "acme": its Tenant is being deleted; wait until it is gone and apply it anew`,
      ])
    },
  )

  test('AD0 every kind is served with its admission', () => {
    expect(RESOURCES.map((resource) => resource.kind)).toEqual(KINDS.map((kind) => kind.kind))
    expect(RESOURCES.filter((resource) => resource.admission === undefined)).toEqual([])
  })
})
