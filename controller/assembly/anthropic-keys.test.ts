/** Tests of tenants' own Anthropic keys: read from their Secrets at each call, never kept, never told. */
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it } from 'vitest'
import { settle } from '../../system/test-clock.ts'
import type { ModelUpstream } from '../coordinator/gateway/upstream.ts'
import type { AnthropicKeyFault } from '../kinds/tenant/anthropic-key.ts'
import { tenantOf } from '../kinds/object-builders.ts'
import { secretResource } from '../registry/secrets.ts'
import { CONTEXT, testRegistry } from '../registry/testing.ts'
import { createMemoryStore } from '../store/memory.ts'
import { createAnthropicKeys, openAnthropicKeys, watchAnthropicKeys } from './anthropic-keys.ts'

const REF = { name: 'anthropic', key: 'apiKey' }
const KEY = { namespace: 'acme', name: 'anthropic' }
const NOBODY: ModelUpstream = () => Promise.reject(new Error('Nobody is asked'))

async function room() {
  const made = await testRegistry()
  const used: string[] = []
  const keys = createAnthropicKeys(made.registry, (apiKey) => {
    used.push(apiKey)
    return NOBODY
  })
  const write = (stringData: object) =>
    made.registry.create(secretResource, 'acme', { metadata: { name: 'anthropic' }, stringData }, CONTEXT)
  const faultOf = async (): Promise<AnthropicKeyFault | undefined> => {
    const [own, looked] = [await keys.ownUpstream('acme', REF), await keys.look('acme', REF)]
    expect(looked).toBe('fault' in own ? own.fault : undefined)
    return looked
  }
  return { ...made, keys, used, write, faultOf }
}

describe('a tenant’s own Anthropic key', () => {
  it('SK40 comes from the Secret as it is now: a rotation counts from the next call', async () => {
    const { registry, keys, used, write, faultOf } = await room()
    expect(await faultOf()).toBe('SecretMissing')
    await write({ apiKey: 'sk-ant-1\n' })
    await keys.ownUpstream('acme', REF)
    const patch = { type: 'merge', body: { stringData: { apiKey: 'sk-ant-2' } } } as const
    await registry.patch(secretResource, KEY, patch, CONTEXT)
    await keys.ownUpstream('acme', REF)
    expect(used).toEqual(['sk-ant-1', 'sk-ant-2'])
    await registry.delete(secretResource, KEY, {}, CONTEXT)
    expect(await faultOf()).toBe('SecretMissing')
    expect(await keys.look('other', REF)).toBe('SecretMissing')
  })

  it.each([
    [{}, 'KeyMissing'],
    [{ apikey: 'sk' }, 'KeyMissing'],
    [{ apiKey: '' }, 'KeyUnusable'],
    [{ apiKey: ' \n' }, 'KeyUnusable'],
    [{ apiKey: 'sk-ant\r\nx-api-key: other' }, 'KeyUnusable'],
    [{ apiKey: 'sk-änt' }, 'KeyUnusable'],
  ] as const)('SK41 a Secret that holds no key is told by what is wrong with it: %j', async (data, fault) => {
    const { write, faultOf, used } = await room()
    await write(data)
    expect(await faultOf()).toBe(fault)
    expect(used).toEqual([])
  })

  it('SK42 a tenant is woken when the Secret that it names changes, and by no other', async () => {
    const store = createMemoryStore()
    const { registry } = await testRegistry({ store })
    const woken: string[] = []
    const tenant = tenantOf({ spec: { config: { anthropicKeySecretRef: REF } } })
    const cache = { get: () => tenant, list: () => [tenant] }
    // The cache is asked for this one tenant alone.
    const manager = {
      cache,
      trigger: (name: string, key: { name: string }) => woken.push(`${name} ${key.name}`),
    } as never
    const end = watchAnthropicKeys(store, manager)
    await registry.create(secretResource, 'acme', { metadata: { name: 'other' } }, CONTEXT)
    await registry.create(secretResource, 'acme', { metadata: { name: 'anthropic' } }, CONTEXT)
    await settle()
    expect(woken).toEqual(['tenant acme'])
    end()
    await registry.delete(secretResource, KEY, {}, CONTEXT)
    await settle()
    expect(woken).toEqual(['tenant acme'])
  })

  it('SK43 Claude is asked with it, and a refusal says whose key it is without repeating it', async () => {
    const seen: IncomingHttpHeaders[] = []
    const server = createServer((request, response) => {
      seen.push(request.headers)
      response.writeHead(401, { 'content-type': 'application/json' })
      response.end(
        JSON.stringify({ type: 'error', error: { type: 'authentication_error', message: 'invalid sk-ant-own' } }),
      )
    })
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve)
    })
    // A TCP server's address is an object.
    const { port } = server.address() as AddressInfo
    const { registry, write } = await room()
    await write({ apiKey: 'sk-ant-own' })
    const keys = openAnthropicKeys(registry, { ANTHROPIC_BASE_URL: `http://127.0.0.1:${port}` })
    const own = await keys.ownUpstream('acme', REF)
    if ('fault' in own) throw new Error(own.fault)
    const request = { model: 'm', max_tokens: 1, messages: [{ role: 'user' as const, content: 'Hi' }] }
    const reply = await own.upstream(request, new AbortController().signal)
    expect(seen[0]?.authorization).toBe('Bearer sk-ant-own')
    expect(reply).toMatchObject({
      kind: 'failure',
      status: 503,
      message: 'The tenant’s own Anthropic key was refused: put a valid one into its Secret',
    })
    await new Promise((resolve) => {
      server.close(resolve)
      server.closeAllConnections()
    })
  })
})
