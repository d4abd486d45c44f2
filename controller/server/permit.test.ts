/** What holds an answer to its caller's rights while it lasts, and the words of a refusal. */
import { describe, expect, it } from 'vitest'
import { allowAll, type AccessDecision, type Authorizer } from '../access/authorizer.ts'
import { accessRequestOf, guardPermission, heldToRights, permit, permitName } from './permit.ts'

const PODS = { group: '', plural: 'pods', scope: 'Namespaced' } as const
const PATH = { group: '', version: 'v1', namespace: 'acme', plural: 'pods', name: 'p', subresource: 'log' } as const
const ACTOR = { name: 'ada', groups: [] }

/** Rights that a test changes. */
function changing(first: AccessDecision) {
  let decision = first
  const listeners = new Set<() => void>()
  const authorizer: Authorizer = {
    ...allowAll,
    decide: () => decision,
    onChange: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
  const change = (next: AccessDecision): void => {
    decision = next
    for (const listener of listeners) listener()
  }
  return { authorizer, change, listeners }
}

const within = (...names: string[]) => ({ isAllowed: true, reason: 'r', within: new Set(names) }) as const
const REFUSED = { isAllowed: false, reason: 'no role', isHidden: false } as const

describe('rights that change', () => {
  it('AZ1 AX35 end an answer that lasts, once they are gone, and are forgotten with the request', () => {
    const { authorizer, change, listeners } = changing(within('a'))
    const gone = new AbortController()
    const call = { actor: ACTOR, permission: within('a'), resource: PODS, path: PATH, request: { signal: gone.signal } }
    const held = heldToRights(authorizer, 'get', call)
    change(within('b'))
    expect(held.request.signal.aborted).toBe(false)
    change(REFUSED)
    expect(held.request.signal.aborted).toBe(true)
    gone.abort()
    expect(listeners.size).toBe(0)
    heldToRights(authorizer, 'get', call)
    expect(listeners.size).toBe(0)
  })

  it('AZ1 AX32 end a watch when it would see another set of namespaces, and not when the reason is another', () => {
    const { authorizer, change, listeners } = changing(within('a', 'b'))
    const guard = guardPermission(authorizer, {
      actor: ACTOR,
      permission: within('a', 'b'),
      resource: PODS,
      path: PATH,
    })
    change({ ...within('b', 'a'), reason: 'another' })
    expect(guard.verdict()).toBeUndefined()
    change(within('a'))
    expect(guard.signal.aborted).toBe(true)
    expect(guard.verdict()).toMatchObject({ reason: 'Expired', code: 410 })
    guard.end()
    expect(listeners.size).toBe(0)
  })
})

describe('a refusal', () => {
  const request = accessRequestOf(ACTOR, 'get', { resource: PODS, path: PATH })
  const refusal = (decision: AccessDecision) => () => permit(changing(decision).authorizer, request)
  it('AZ4 says who, what and where, as kube-apiserver does', () => {
    expect(refusal(REFUSED)).toThrow(
      'pods "p" is forbidden: User "ada" cannot get resource "pods/log" in API group "" in the namespace "acme": no role',
    )
  })
  it('AZ2 of what is hidden says that it is not there, and no reason', () => {
    expect(refusal({ ...REFUSED, isHidden: true })).toThrow(/^namespaces "acme" not found$/)
  })
  it('AX31 of a name that is not within', () => {
    const resource = { group: '', plural: 'namespaces', scope: 'Cluster' } as const
    const path = {
      group: '',
      version: 'v1',
      namespace: undefined,
      plural: 'namespaces',
      name: undefined,
      subresource: undefined,
    }
    const call = { actor: ACTOR, permission: within('acme'), resource, path }
    expect(() => permitName(call, { metadata: { name: 'acme' } })).not.toThrow()
    for (const body of [{ metadata: { name: 'beta' } }, { metadata: { generateName: 'acme' } }, {}, [], 'x', null])
      expect(() => permitName(call, body)).toThrow('cannot create resource "namespaces"')
    expect(() => permitName({ ...call, permission: { isAllowed: true, reason: '' } }, {})).not.toThrow()
  })
})
