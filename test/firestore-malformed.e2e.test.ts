/** Writes junk straight into Firestore, under a running control plane's controllers: the others go on, and it is named. */
import { Firestore } from '@google-cloud/firestore'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CONTROLLER_ACTOR } from '../controller/api/admission.ts'
import { API_VERSION, resourceName } from '../controller/api/define-kind.ts'
import { createLocalClient } from '../controller/client/local.ts'
import { createManager, type Manager } from '../controller/engine/manager.ts'
import type { Client } from '../controller/client/client.ts'
import { RESOURCES } from '../controller/kinds/index.ts'
import { KINDS } from '../controller/kinds/kinds.ts'
import { ensureBuiltinPlans } from '../controller/kinds/plan/builtin.ts'
import { planController } from '../controller/kinds/plan/reconcile.ts'
import { planKind } from '../controller/kinds/plan/schema.ts'
import { CORE_RESOURCES } from '../controller/registry/core.ts'
import { createRegistry } from '../controller/registry/create-registry.ts'
import { storedJudge } from '../controller/registry/stored.ts'
import { openFirestoreStore, type FirestoreStore } from '../controller/store/firestore/firestore.ts'
import { realClock } from '../system/clock.ts'
import { realEntropy } from '../system/entropy.ts'
import { silentLog } from '../system/log.ts'
import { createMetrics } from '../system/metrics.ts'
import { emulatorAbsence, startFirestoreEmulator, type FirestoreEmulator } from './e2e/firestore-emulator.ts'

const absence = emulatorAbsence()
const resources = [...CORE_RESOURCES, ...RESOURCES]
const metadata = { uid: 'u', creationTimestamp: '2027-01-01T00:00:00Z' }
const WHOLE = { concurrentSprites: 1, agentTypes: null, monthlyTokens: null, spriteIdleTimeoutSeconds: 60 }
const plan = (name: string, rest: object = {}): Record<string, unknown> => ({
  apiVersion: API_VERSION,
  kind: 'Plan',
  metadata: { ...metadata, name },
  spec: WHOLE,
  ...rest,
})
const work = (name: string, spec: object): Record<string, unknown> => ({
  apiVersion: API_VERSION,
  kind: 'Work',
  metadata: { ...metadata, name, namespace: 'acme' },
  spec,
})
const { kind: _kind, ...kindless } = plan('kindless')
const deepJson = `${'{"a":'.repeat(500)}1${'}'.repeat(500)}`

/** By path: what is written there, and what is to be said of it. */
const JUNK: readonly (readonly [path: string, fields: Record<string, unknown>, fault: RegExp])[] = [
  ['plans/kindless', kindless, /^kind must be the name of a kind/],
  ['plans/spec-text', plan('spec-text', { spec: 'concurrentSprites: 3' }), /^spec must be a map/],
  ['plans/spec-none', { ...plan('spec-none'), spec: null }, /^spec must be a map/],
  ['plans/version', plan('version', { apiVersion: 'sprites.highera.com/v9' }), /^apiVersion must be/],
  ['plans/other-kind', plan('other-kind', { kind: 'Tenant' }), /^kind must be that of "plans"/],
  ['plans/other-name', plan('somebody'), /^metadata.name must be "other-name"/],
  ['plans/junk', { junk: 'x'.repeat(1_000_000) }, /^apiVersion must be/],
  ['plans/deep', plan('deep', { spec: { $json: deepJson } }), /nests deeper/],
  ['plans/times', plan('times', { spec: { at: new Date(0) } }), /^"spec.at" must have a JSON form/],
  ['plans/bytes', plan('bytes', { spec: { b: Buffer.from('x') } }), /not bytes/],
  ['plans/text', { _text: 'not json' }, /no JSON object/],
  ['plans/proto-map', plan('proto-map', { spec: { ...WHOLE, x: { $json: '{"__proto__":{"isAdmin":true}}' } } }), /^$/],
  ['plans/number', plan('number', { spec: { ...WHOLE, concurrentSprites: 'many' } }), /^spec.concurrentSprites: /],
  ['plans/works', plan('works', { spec: { type: 'a', dependsOn: 5 } }), /^spec\.\w+: Required value/],
  ['plans/status', plan('status', { status: { conditions: { Ready: true } } }), /^status.conditions: /],
  ['tenants/acme/work/five', work('five', { type: 'a', description: 'b', dependsOn: 5 }), /^spec.dependsOn: /],
  ['tenants/acme/work/bare', work('bare', { type: 'a', description: 'b' }), /^$/],
  ['somewhere/else/plans/x', plan('x'), /^no object lies at this path/],
  ['plans/UPPER CASE', plan('UPPER CASE'), /^no object lies at this path/],
]

async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if (await isSo()) return
    await realClock.sleep(50)
  }
  throw new Error(`It did not come about: ${what}`)
}

describe.skipIf(absence !== undefined)(
  `Malformed documents${absence === undefined ? '' : ` (skipped: ${absence})`}`,
  () => {
    let emulator: FirestoreEmulator
    let firestore: Firestore
    let store: FirestoreStore
    let client: Client
    let manager: Manager

    beforeAll(async () => {
      emulator = await startFirestoreEmulator()
      const project = emulator.project()
      firestore = new Firestore({ projectId: project, host: emulator.host, ssl: false })
      // Half of it is there before the store is opened, half comes while it listens.
      for (const [path, fields] of JUNK.slice(0, 7)) await firestore.doc(path).set(fields)
      const ports = { clock: realClock, entropy: realEntropy, log: silentLog }
      store = await openFirestoreStore({
        ...ports,
        project,
        database: '(default)',
        collections: resources.map(resourceName),
        judge: storedJudge(resources),
        settings: { emulatorHost: emulator.host },
      })
      const registry = createRegistry({ ...ports, store, resources, builtinAgentTypes: new Set() })
      client = createLocalClient(registry, { actor: CONTROLLER_ACTOR, fieldManager: 'test' })
      manager = createManager({ ...ports, client, metrics: createMetrics(), kinds: KINDS })
      manager.add(planController({ client, clock: realClock, cache: manager.cache }))
      await ensureBuiltinPlans(client)
      await manager.start()
      for (const [path, fields] of JUNK.slice(7)) await firestore.doc(path).set(fields)
    }, 60_000)

    afterAll(async () => {
      await manager?.stop()
      await store?.close()
      await firestore?.terminate()
      await emulator?.stop()
    })

    const faultAt = (path: string): string => store.malformed().find((one) => one.path === path)?.fault ?? ''

    test.each(JUNK)('FDC4 %s is named', async (path, _fields, fault) => {
      if (fault.test('')) return expect(faultAt(path)).toBe('')
      await until(`${path} is named`, () => faultAt(path) !== '')
      expect(faultAt(path)).toMatch(fault)
      expect(faultAt(path).length).toBeLessThan(400)
    })

    test('FDC4 the others converge, before and after', async () => {
      // The API fills in the rest.
      await client.create(planKind, { metadata: { name: 'late' }, spec: WHOLE as never })
      for (const name of ['starter', 'late'])
        await until(`${name} is ready`, async () => {
          const { status } = await client.get(planKind, { namespace: '', name })
          return status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') ?? false
        })
      const { items } = await client.list(planKind)
      const names = items.map((one) => one.metadata.name)
      expect(names).toEqual(expect.arrayContaining(['enterprise', 'growth', 'late', 'starter']))
      expect(names).not.toContain('kindless')
      expect(Object.hasOwn(Object.prototype, 'isAdmin')).toBe(false)
    })

    test('FDC4 one that is put right is there again', async () => {
      const whole = (await firestore.doc('plans/starter').get()).data() ?? {}
      await firestore.doc('plans/starter').update({ kind: 'Nothing' })
      await until('it is named', () => faultAt('plans/starter') !== '')
      await firestore.doc('plans/starter').set(whole)
      await until('it is right', () => faultAt('plans/starter') === '')
      expect((await client.get(planKind, { namespace: '', name: 'starter' })).spec.concurrentSprites).toBe(2)
    })
  },
)
