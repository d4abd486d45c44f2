/** One process that shares tenants on a Firestore emulator and writes down each call that it begins: run by shards.e2e.test.ts. */
import { appendFileSync } from 'node:fs'
import { createShards } from '../../controller/engine/shards.ts'
import { createRegistryLeasesPort } from '../../controller/engine/registry-ports.ts'
import { CORE_RESOURCES, namespaceResource } from '../../controller/registry/core.ts'
import { createRegistry } from '../../controller/registry/create-registry.ts'
import { openFirestoreStore } from '../../controller/store/firestore/firestore.ts'
import { CONTROLLER_ACTOR } from '../../controller/api/admission.ts'
import { hasReason } from '../../controller/api/errors.ts'
import { resourceName } from '../../controller/api/define-kind.ts'
import { realClock } from '../../system/clock.ts'
import { realEntropy } from '../../system/entropy.ts'
import { silentLog } from '../../system/log.ts'

const [name = '', emulatorHost = '', project = '', journal = '', tenants = ''] = process.argv.slice(2)
const NAMESPACE = 'sprites-system'
const clock = realClock

const store = await openFirestoreStore({
  project,
  database: '(default)',
  collections: CORE_RESOURCES.map(resourceName),
  clock,
  entropy: realEntropy,
  log: silentLog,
  settings: { emulatorHost },
})
const registry = createRegistry({
  store,
  resources: CORE_RESOURCES,
  clock,
  entropy: realEntropy,
  builtinAgentTypes: new Set<string>(),
})
try {
  await registry.create(namespaceResource, '', { metadata: { name: NAMESPACE } }, { actor: CONTROLLER_ACTOR })
} catch (error) {
  if (!hasReason(error, 'AlreadyExists')) throw error
}
const shards = createShards({
  port: createRegistryLeasesPort(registry, { clock, log: silentLog }),
  clock,
  entropy: realEntropy,
  log: silentLog,
  namespace: NAMESPACE,
  identity: name,
})

/** One line; wall time of one machine is the same for all of its processes. */
const note = (what: string, tenant: string): void =>
  appendFileSync(journal, `${Date.now()} ${name} ${what} ${tenant} ${shards.epoch(tenant) ?? 0}\n`)

/** Passes of one tenant: each proves its lease, begins a call and ends it within what was left. */
async function work(tenant: string): Promise<void> {
  let pass: Promise<void> | undefined
  shards.onChange(({ type, has }) => (type === 'leaving' && has(tenant) ? pass : undefined))
  const once = async (): Promise<void> => {
    await shards.confirm(tenant)
    if (shards.remainingMs(tenant) < 500) return
    note('begin', tenant)
    await clock.sleep(40)
    note('end', tenant)
  }
  for (;;) {
    await clock.sleep(150)
    if (!shards.owns(tenant)) continue
    pass = once()
    await pass
    pass = undefined
  }
}

shards.start()
for (const tenant of tenants.split(',')) void work(tenant)
process.once('SIGTERM', () => {
  void shards
    .stop()
    .then(() => store.close())
    .then(() => process.exit(0))
})
process.stdout.write('ready\n')
