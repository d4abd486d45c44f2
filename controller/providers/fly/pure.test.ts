/** The adapter's pure parts: classification, config and stamp, tolerant reading, token bucket. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { specFor } from '../contract.ts'
import type { ProviderErrorReason } from '../machines.ts'
import { classify, classifyTransport, nameHolderId, retryAfterMs, type FlyAction } from './classify.ts'
import {
  appName,
  createRequest,
  isNameOf,
  isSharedApp,
  provenStamp,
  readStamp,
  stampMetadata,
} from './machine-config.ts'
import { authorization, lastExit, machineSchema, machineState, toMachine } from './replies.ts'
import { drain, FLY_GET_RATE, FLY_RATE, fullBucket, refill, take } from './token-bucket.ts'

type Row = readonly [
  name: string,
  refusal: { action?: FlyAction; status: number; code?: string; text?: string },
  reason: ProviderErrorReason,
]

const ROWS: readonly Row[] = [
  ['bad config', { status: 400, text: 'invalid config.guest.memory_mb, minimum required 256 MiB' }, 'InvalidSpec'],
  ['unknown tag', { status: 400, text: 'failed to get manifest: MANIFEST_UNKNOWN' }, 'InvalidSpec'],
  ['400 without room', { status: 400, text: 'no capacity in region iad' }, 'NoCapacity'],
  ['bad token', { status: 401, text: 'unauthorized' }, 'CredentialsInvalid'],
  ['no right', { status: 403, text: 'forbidden' }, 'CredentialsInvalid'],
  ['quota', { status: 403, text: 'organization is over the allowed quota' }, 'QuotaExceeded'],
  ['foreign app', { action: 'getApp', status: 403, text: 'forbidden' }, 'NameConflict'],
  ['unknown', { status: 404, text: 'not_found: machine not found' }, 'NotFound'],
  ['deadline on a write', { status: 408, text: 'deadline_exceeded' }, 'OutcomeUnknown'],
  ['deadline on a read', { action: 'get', status: 408 }, 'Unavailable'],
  [
    'name',
    { status: 409, text: 'already_exists: unique machine name violation, machine ID 1 already' },
    'NameConflict',
  ],
  ['name as 422', { status: 422, text: 'unique machine name violation' }, 'NameConflict'],
  ['lease', { status: 409, text: 'machine ID 1 lease currently held by me' }, 'NotReady'],
  ['concurrent', { status: 409, text: 'aborted: machine update failed due to concurrent update' }, 'NotReady'],
  ['host full', { status: 409, text: 'insufficient memory available to fulfill on the current host' }, 'NoCapacity'],
  ['region full', { status: 409, text: 'aborted: no capacity' }, 'NoCapacity'],
  ['409 with a code', { status: 409, code: 'brand_new', text: 'insufficient memory' }, 'NotReady'],
  ['state', { status: 412, text: "unable to start machine from current state: 'created'" }, 'NotReady'],
  ['volume host full', { status: 412, code: 'volume_placement_capacity' }, 'NoCapacity'],
  ['validation', { status: 422, text: 'validation failed' }, 'InvalidSpec'],
  ['region full by code', { status: 422, code: 'insufficient_capacity' }, 'NoCapacity'],
  ['region full by text', { status: 422, text: 'could not find a candidate host' }, 'NoCapacity'],
  ['limit', { status: 422, text: 'organization has reached its machine limit' }, 'QuotaExceeded'],
  ['app name', { action: 'createApp', status: 422, code: 'name_taken' }, 'NameConflict'],
  ['old app name', { action: 'createApp', status: 422, text: 'Name has already been taken' }, 'NameConflict'],
  ['rate', { status: 429 }, 'RateLimited'],
  ['500 on a write', { status: 500, text: 'insufficient memory' }, 'OutcomeUnknown'],
  ['502 on a read', { action: 'list', status: 502 }, 'Unavailable'],
  ['503 with capacity', { status: 503, code: 'insufficient_capacity' }, 'NoCapacity'],
  ['redirect', { status: 302 }, 'Unexpected'],
  ['teapot', { status: 418 }, 'Unexpected'],
]

describe('classification', () => {
  it.each(ROWS)('FA1 %s', (_name, refusal, reason) => {
    expect(classify({ action: 'create', ...refusal })).toBe(reason)
  })

  it('FA1 below HTTP: refused is Unavailable, cut is unknown for writes and undone for reads', () => {
    expect(classifyTransport('create', ['ECONNREFUSED'])).toBe('Unavailable')
    expect(classifyTransport('create', ['ENOTFOUND'])).toBe('Unavailable')
    expect(classifyTransport('create', ['ECONNRESET'])).toBe('OutcomeUnknown')
    expect(classifyTransport('create', [])).toBe('OutcomeUnknown')
    expect(classifyTransport('list', ['ECONNRESET'])).toBe('Unavailable')
  })

  it('FA2 the holder’s id is read from the refusal, Retry-After only when it is a number', () => {
    const words = 'unique machine name violation, machine ID 5683d474f4658e already exists with name "a"'
    expect(nameHolderId(words)).toBe('5683d474f4658e')
    expect(nameHolderId('name taken')).toBeUndefined()
    expect(retryAfterMs('2')).toBe(2_000)
    expect(retryAfterMs('1e9')).toBeUndefined()
    expect(retryAfterMs('99999')).toBe(600_000)
    expect(retryAfterMs('Wed, 21 Oct 2026 07:28:00 GMT')).toBeUndefined()
    expect(retryAfterMs(null)).toBeUndefined()
  })
})

const SPEC = specFor('acme', 'writer', { controlPlane: 'cp', incarnation: 3 })

describe('config and stamp', () => {
  it('FA13 in a shared app the stamp counts only where env and metadata are whole and the same', () => {
    const made = createRequest(SPEC).config
    expect(provenStamp(made)).toEqual(SPEC.owner)
    expect(provenStamp({ env: made.env })).toBeUndefined()
    expect(provenStamp({ metadata: made.metadata })).toBeUndefined()
    expect(provenStamp(null)).toBeUndefined()
    for (const key of Object.keys(made.metadata)) {
      const other = key.endsWith('incarnation') ? '9' : 'x'
      expect(provenStamp({ ...made, metadata: { ...made.metadata, [key]: other } })).toBeUndefined()
    }
  })

  it('FA3 the stamp comes back whole from env and from metadata, and env is believed', () => {
    const { config } = createRequest(SPEC)
    expect(readStamp(config)).toEqual(SPEC.owner)
    expect(readStamp({ metadata: config.metadata })).toEqual(SPEC.owner)
    expect(readStamp({ env: config.env, metadata: {} })).toEqual(SPEC.owner)
    const forged = stampMetadata({ ...SPEC.owner, tenant: 'other' })
    expect(readStamp({ env: config.env, metadata: forged })).toEqual(SPEC.owner)
  })

  it('FA3 a stamp that is not whole is none', () => {
    const whole = stampMetadata(SPEC.owner)
    for (const key of Object.keys(whole)) {
      const rest = Object.fromEntries(Object.entries(whole).filter(([other]) => other !== key))
      expect(readStamp({ metadata: rest })).toBeUndefined()
    }
    for (const bad of ['0', '-1', '1.5', 'x', '']) {
      expect(readStamp({ metadata: { ...whole, highera_incarnation: bad } })).toBeUndefined()
    }
    expect(readStamp({ env: { HIGHERA_OWNER: '{' } })).toBeUndefined()
    expect(readStamp(null)).toBeUndefined()
  })

  it('FA3 the name shape belongs to the stamp', () => {
    expect(isNameOf(SPEC.name, SPEC.owner)).toBe(true)
    expect(isNameOf('writer-0a1b2c3d-4', SPEC.owner)).toBe(false)
    expect(isNameOf('writer-3', SPEC.owner)).toBe(false)
    expect(isNameOf('other-0a1b2c3d-3', SPEC.owner)).toBe(false)
    expect(isNameOf(SPEC.name.replace('0a1b2c3d', '0a1b2c3e'), SPEC.owner)).toBe(false)
    expect(appName('highera-{tenant}', 'acme')).toBe('highera-acme')
    expect([isSharedApp('highera-{tenant}'), isSharedApp('one-app')]).toEqual([false, true])
  })

  it('FA4 the token’s scheme follows its form, and a scheme that it brings is not doubled', () => {
    expect(authorization('abc')).toBe('Bearer abc')
    expect(authorization('Bearer abc')).toBe('Bearer abc')
    expect(authorization('fm2_abc,fm2_def')).toBe('FlyV1 fm2_abc,fm2_def')
    expect(authorization('FlyV1 fm2_abc')).toBe('FlyV1 fm2_abc')
    expect(authorization(' fm1r_abc\n')).toBe('FlyV1 fm1r_abc')
  })
})

describe('tolerant reading', () => {
  const at = { app: 'a', controlPlaneId: 'cp' }

  it('FA5 any JSON is a machine or is refused, and never throws', () => {
    const machineLike = fc.record(
      { id: fc.string(), name: fc.string(), state: fc.anything(), config: fc.anything(), events: fc.anything() },
      { requiredKeys: [] },
    )
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), machineLike), (json) => {
        const parsed = machineSchema.safeParse(json)
        if (parsed.success) expect(toMachine(parsed.data, at).id).toBe(parsed.data.id)
      }),
    )
  })

  it('FA5 an unknown state is unknown, a host without word is reachable, a foreign stamp is no owner', () => {
    expect(['started', 'migrating', 'toString'].map(machineState)).toEqual(['started', 'unknown', 'unknown'])
    const config = createRequest(SPEC).config
    const fly = machineSchema.parse({ id: '1', name: 'n', state: 'started', config, host_status: null })
    expect(toMachine(fly, at)).toMatchObject({ hostReachable: true, owner: SPEC.owner })
    expect(toMachine(fly, { app: 'a', controlPlaneId: 'other' }).owner).toBeUndefined()
    const lost = { id: '1', name: 'n', host_status: 'unreachable', config: null, incomplete_config: config }
    expect(toMachine(machineSchema.parse(lost), at)).toMatchObject({ hostReachable: false, owner: SPEC.owner })
  })

  it('FA6 the last exit is the one with the greatest time, in either form', () => {
    const exit = (timestamp: number, code: number) => ({ timestamp, request: { exit_event: { exit_code: code } } })
    expect(lastExit([])).toBeUndefined()
    expect(lastExit([{ timestamp: 9, request: null }, 'junk', exit(5, 1), exit(7, 2), exit(6, 3)])).toEqual({
      atMs: 7,
      code: 2,
    })
    const nested = { exit_event: { exit_code: 137, oom_killed: true, requested_stop: false } }
    expect(lastExit([{ timestamp: 1, request: { MonitorEvent: nested } }])).toEqual({
      atMs: 1,
      code: 137,
      oomKilled: true,
      requested: false,
    })
  })
})

describe('token bucket', () => {
  it('FA7 never more than burst + rate × time pass in any window', () => {
    const calls = fc.array(fc.integer({ min: 0, max: 3_000 }), { maxLength: 60 })
    fc.assert(
      fc.property(calls, fc.constantFrom(FLY_RATE, FLY_GET_RATE), (gapsMs, rate) => {
        let bucket = fullBucket(rate, 0)
        let nowMs = 0
        const sentMs: number[] = []
        for (const gapMs of gapsMs) {
          nowMs += gapMs
          const next = take(bucket, rate, { atMs: nowMs, maxWaitMs: 5_000 })
          bucket = next.bucket
          if (next.taken) sentMs.push(nowMs + next.waitMs)
        }
        for (const [first, fromMs] of sentMs.entries())
          for (const [last, untilMs] of sentMs.entries())
            if (last >= first)
              expect(last - first + 1).toBeLessThanOrEqual(
                rate.burst + ((untilMs - fromMs) / 1_000) * rate.perSecond + 0.001,
              )
      }),
    )
  })

  it('FA7 a wait beyond the limit takes no token; after a drain none is free for so long', () => {
    const empty = { tokens: 0, atMs: 0 }
    expect(take(empty, FLY_RATE, { atMs: 0, maxWaitMs: 500 })).toEqual({ bucket: empty, waitMs: 1_000, taken: false })
    const drained = drain(fullBucket(FLY_RATE, 0), FLY_RATE, { atMs: 0, forMs: 10_000 })
    expect(take(drained, FLY_RATE, { atMs: 0, maxWaitMs: 60_000 }).waitMs).toBe(10_000)
    expect(refill(drained, FLY_RATE, 100_000).tokens).toBe(FLY_RATE.burst)
  })
})
