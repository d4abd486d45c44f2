/** What the gateway does while the token ledger does not answer. Rules: docs/spec/coordinator.md. */
import { afterEach, describe, expect, it } from 'vitest'
import { SPRITE_API, WORK_HEADER } from '../../../protocol/coordinator.ts'
import { LedgerError, type Ledger, type LedgerErrorReason } from '../../ledger/ledger.ts'
import { IN_PROGRESS, startHarness, TENANT, type Harness, type Reply } from '../fake/harness.ts'
import type { UpstreamReply } from './upstream.ts'

const PERIOD = '2026-01'
const USAGE = { input_tokens: 10, output_tokens: 5 }
const ANSWER: UpstreamReply = {
  kind: 'message',
  rehearsal: false,
  message: { type: 'message', model: 'claude-test', content: [], stop_reason: 'end_turn', usage: USAGE },
}
const BODY = { model: 'claude-test', max_tokens: 1_000, messages: [{ role: 'user', content: 'Hello' }] }

/** A ledger whose `reserve` fails while a reason is set. */
function leaky(fault: { reason: LedgerErrorReason | undefined }): (inner: Ledger) => Ledger {
  return (inner) => ({
    ...inner,
    reserve: (reservation) =>
      fault.reason === undefined
        ? inner.reserve(reservation)
        : Promise.reject(new LedgerError(fault.reason, 'Try again later')),
  })
}

let h: Harness
let asked: number
const fault: { reason: LedgerErrorReason | undefined } = { reason: undefined }
async function start(policy?: 'Refuse' | 'Allow'): Promise<void> {
  asked = 0
  const upstream = (): Promise<UpstreamReply> => {
    asked++
    return Promise.resolve(ANSWER)
  }
  h = await startHarness({ upstream, ledger: leaky(fault) })
  h.seedWork('w1', { status: IN_PROGRESS })
  if (policy === undefined) return
  h.client.seed({ kind: 'Plan', metadata: { name: 'growth' }, spec: { whenLedgerUnavailable: policy } })
}
const ask = (): Promise<Reply> =>
  h.send(`${SPRITE_API.gateway}/v1/messages`, BODY, { headers: { [WORK_HEADER]: 'w1/1' } })

afterEach(async () => {
  fault.reason = undefined
  await h.close()
})

describe('gateway without its ledger', () => {
  it.each(['Refuse', undefined] as const)(
    'GW13 by the plan (%s) the call is refused and may be tried again',
    async (policy) => {
      await start(policy)
      fault.reason = 'Unavailable'
      const reply = await ask()
      expect(reply).toMatchObject({ status: 503, body: { type: 'error', error: { type: 'api_error' } } })
      expect(reply.headers).toMatchObject({ 'x-sprite-reason': 'LedgerUnavailable', 'retry-after': '5' })
      expect(asked).toBe(0)
      expect(h.work('w1').status?.attempts).toHaveLength(1)
      fault.reason = undefined
      expect(await ask()).toMatchObject({ status: 200 })
      expect(await h.ledger.read(TENANT, PERIOD)).toEqual({ spent: 15, reserved: 0 })
    },
  )

  it('GW13 with Allow it is made, and what it used is counted without a reservation', async () => {
    await start('Allow')
    fault.reason = 'Unavailable'
    expect(await ask()).toMatchObject({ status: 200 })
    expect(await ask()).toMatchObject({ status: 200 })
    expect(await h.ledger.read(TENANT, PERIOD)).toEqual({ spent: 30, reserved: 0 })
  })

  it('GW13 with Allow a budget that is known to be used up is none', async () => {
    await start('Allow')
    h.seedTenant({ limits: { monthlyTokens: 10 } })
    expect(await ask()).toMatchObject({ status: 403 })
    expect(asked).toBe(0)
  })

  it.each(['Full', 'Closed'] as const)('GW13 a ledger that is %s refuses whatever the plan says', async (reason) => {
    await start('Allow')
    fault.reason = reason
    expect(await ask()).toMatchObject({ status: 503, headers: { 'x-sprite-reason': 'LedgerUnavailable' } })
    expect(asked).toBe(0)
  })
})
