/** Tests of channel names and of what may be taken of a message. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  isObjectName,
  isTenantName,
  parseChannel,
  projectUpdates,
  readMessage,
  spriteHeartbeat,
  spriteInbox,
  tenantBroadcasts,
  tenantHandoffs,
  tenantReviews,
} from './channels.ts'

const label = fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?$/)

describe('channels', () => {
  it('RB10 every name that is built is read back, and no two are the same', () => {
    fc.assert(
      fc.property(label, label, (tenant, name) => {
        expect(parseChannel(spriteInbox(tenant, name))).toEqual({ of: 'inbox', tenant, sprite: name })
        expect(parseChannel(spriteHeartbeat(tenant, name))).toEqual({ of: 'heartbeat', tenant, sprite: name })
        expect(parseChannel(tenantHandoffs(tenant))).toEqual({ of: 'handoffs', tenant })
        expect(parseChannel(tenantReviews(tenant))).toEqual({ of: 'reviews', tenant })
        expect(parseChannel(tenantBroadcasts(tenant))).toEqual({ of: 'broadcasts', tenant })
        expect(parseChannel(projectUpdates(tenant, name))).toEqual({ of: 'updates', tenant, project: name })
      }),
    )
  })

  it('RB10 names that could mean something in a pattern or part a channel are none', () => {
    const evil = ['*', 'a*', 'ac?', 'a[b]', 'a/b', 'a:b', 'a b', 'A', '-a', 'a-', '', 'a\n', 'a\\', '__proto__', 'é']
    for (const name of evil) {
      expect(isTenantName(name), name).toBe(false)
      expect(isObjectName(name), name).toBe(false)
      expect(parseChannel(spriteInbox('acme', name)), name).toBeUndefined()
      expect(parseChannel(tenantBroadcasts(name)), name).toBeUndefined()
    }
    expect(isTenantName('a.b')).toBe(false)
    expect(isTenantName('a'.repeat(64))).toBe(false)
    expect(isObjectName('a.b')).toBe(true)
    expect(isObjectName('a'.repeat(254))).toBe(false)
  })

  it('RB4 takes what it knows of a message and drops what is none of the channel', () => {
    const beat = { uid: 'u', incarnation: 1, state: 'idle', atMs: 5 }
    expect(readMessage(spriteHeartbeat('t', 's'), { ...beat, tenant: 'other', later: 1 })).toEqual(beat)
    expect(readMessage(spriteHeartbeat('t', 's'), { ...beat, state: 'asleep' })).toBeUndefined()
    expect(readMessage(spriteHeartbeat('t', 's'), { ...beat, incarnation: 1.5 })).toBeUndefined()
    expect(readMessage(spriteInbox('t', 's'), { type: 'drain', why: 'x' })).toEqual({ type: 'drain' })
    expect(readMessage(spriteInbox('t', 's'), { type: 'shell' })).toBeUndefined()
    expect(readMessage(tenantHandoffs('t'), { from: 'w', step: '1' })).toEqual({ from: 'w', step: '1' })
    expect(readMessage(tenantReviews('t'), { work: 'w', phase: 'Completed' })).toEqual({
      work: 'w',
      phase: 'Completed',
    })
    expect(readMessage(tenantBroadcasts('t'), { type: 'drain' })).toBeUndefined()
    expect(readMessage('elsewhere', { a: 1 })).toEqual({ a: 1 })
  })

  it('RB4 is total: nothing that JSON can say throws', () => {
    const channels = [spriteInbox('t', 's'), spriteHeartbeat('t', 's'), tenantHandoffs('t'), 'x']
    fc.assert(
      fc.property(fc.constantFrom(...channels), fc.jsonValue(), (channel, message) => {
        const taken = readMessage(channel, message)
        expect(taken === undefined || typeof taken === 'object').toBe(true)
      }),
    )
  })
})
