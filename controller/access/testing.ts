/** Builds a registry with tenants, people and tokens, and rights over it, for the tests of this room. */
import { createHash } from 'node:crypto'
import { silentLog } from '../../system/log.ts'
import { seededEntropy } from '../../system/entropy.ts'
import { settle, TestClock } from '../../system/test-clock.ts'
import { CONTROLLER_ACTOR } from '../api/admission.ts'
import { API_VERSION } from '../api/define-kind.ts'
import { resourceOf } from '../api/resource-of.ts'
import { KINDS } from '../kinds/kinds.ts'
import { CORE_RESOURCES } from '../registry/core.ts'
import { createRegistry } from '../registry/create-registry.ts'
import type { Registry } from '../registry/registry.ts'
import { createMemoryStore } from '../store/memory.ts'
import { createAccess, type AccessPorts } from './access.ts'

/** What a test token looks like: its key id, a dash, and anything. */
export const readTestToken: AccessPorts['readToken'] = (token) => {
  const keyId = /^([0-9a-f]{16})-/.exec(token)?.[1]
  return keyId === undefined ? undefined : { keyId, sha256: createHash('sha256').update(token).digest('hex') }
}

/** The spec of the AccessToken of a test token. */
export const specOfToken = (token: string, rest: object): object => ({ ...readTestToken(token), ...rest })

/** A registry without admission, with rights over it that are not started. */
export function accessRoom({
  wrap = (registry) => registry,
}: { readonly wrap?: (registry: Registry) => Registry } = {}) {
  const clock = new TestClock()
  const resources = [...CORE_RESOURCES, ...KINDS.map((kind) => resourceOf(kind))]
  const registry = createRegistry({
    store: createMemoryStore(),
    resources,
    clock,
    entropy: seededEntropy(3),
    builtinAgentTypes: new Set(['copywriter', 'editor']),
  })
  const access = createAccess({ registry: wrap(registry), clock, log: silentLog, readToken: readTestToken })
  const resourceNamed = (kind: string) => {
    const found = resources.find((resource) => resource.kind === kind)
    if (found === undefined) throw new RangeError(`There is no kind ${kind}`)
    return found
  }
  const context = { actor: CONTROLLER_ACTOR, fieldManager: 'test' }
  const put = async (kind: string, key: { namespace?: string; name: string }, rest: object = {}) => {
    const apiVersion = kind === 'Namespace' ? 'v1' : API_VERSION
    await registry.create(
      resourceNamed(kind),
      key.namespace ?? '',
      { apiVersion, kind, metadata: key, ...rest },
      context,
    )
    await settle()
  }
  const remove = async (kind: string, namespace: string, name: string) => {
    await registry.delete(resourceNamed(kind), { namespace, name }, {}, context)
    await settle()
  }
  const tenant = async (name: string) => {
    await put('Namespace', { name })
    await put('Tenant', { name }, { spec: { displayName: name, plan: 'growth' } })
  }
  const user = (namespace: string, name: string, spec: object) => put('User', { namespace, name }, { spec })
  const token = (namespace: string, name: string, secret: string, spec: object) =>
    put('AccessToken', { namespace, name }, { spec: specOfToken(secret, spec) })
  return { clock, registry, access, context, resourceNamed, put, remove, tenant, user, token }
}
