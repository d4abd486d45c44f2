/** The keeper of tenants' apps: nobody waits for it, failures are tried again later and later, few go at once. */
import { describe, expect, it } from 'vitest'
import { settle, TestClock } from '../../../system/test-clock.ts'
import { ProviderError } from '../../providers/machines.ts'
import { createAppKeeper } from './app-keeper.ts'

function given(error: () => Error | undefined = () => undefined) {
  const clock = new TestClock()
  const asked: string[] = []
  const woken: string[] = []
  const answers: (() => void)[] = []
  const ensure = async (tenant: string): Promise<void> => {
    asked.push(tenant)
    await new Promise<void>((resolve) => answers.push(resolve))
    const failure = error()
    if (failure !== undefined) throw failure
  }
  const keeper = createAppKeeper({ clock, ensure, wake: (tenant) => void woken.push(tenant) })
  const answer = async (): Promise<void> => {
    await settle()
    for (const resolve of answers.splice(0)) resolve()
    await settle()
  }
  return { clock, keeper, asked, woken, answer }
}

describe('the keeper of apps', () => {
  it('TN51 is asked once, answers at once, and wakes who waits', async () => {
    const { keeper, asked, woken, answer, clock } = given()
    expect(keeper.look('acme')).toEqual({ last: undefined, isDue: true })
    keeper.begin('acme')
    keeper.begin('acme')
    expect(keeper.look('acme')).toEqual({ last: undefined, isDue: false })
    await answer()
    expect([asked, woken, keeper.look('acme')]).toEqual([['acme'], ['acme'], { last: 'Made', isDue: false }])
    // Whether it is still there is looked at seldom, and no news when it is.
    await clock.advance(600_000)
    expect(keeper.look('acme').isDue).toBe(true)
    keeper.begin('acme')
    await answer()
    expect([asked, woken]).toEqual([['acme', 'acme'], ['acme']])
  })

  it('TN52 tries again from 5 s, doubling to 10 min, not before the provider’s own word', async () => {
    let error: ProviderError | undefined = new ProviderError('Unavailable', 'no')
    const { keeper, answer, clock, woken } = given(() => error)
    const waits: (number | undefined)[] = []
    for (let tries = 0; tries < 9; tries++) {
      keeper.begin('acme')
      await answer()
      const { retryInMs } = keeper.look('acme')
      waits.push((retryInMs ?? 0) / 1_000)
      await clock.advance(retryInMs ?? 0)
    }
    expect(waits).toEqual([5, 10, 20, 40, 80, 160, 320, 600, 600])
    expect(woken).toHaveLength(9)
    error = undefined
    keeper.begin('acme')
    await answer()
    expect(keeper.look('acme')).toEqual({ last: 'Made', isDue: false })
    const first = async (failure: ProviderError): Promise<number | undefined> => {
      const { keeper: other, answer: go } = given(() => failure)
      other.begin('acme')
      await go()
      return other.look('acme').retryInMs
    }
    expect(await first(new ProviderError('RateLimited', 'later', { retryAfterMs: 30_000 }))).toBe(30_000)
    // Somebody has to act.
    expect(await first(new ProviderError('NameConflict', 'theirs'))).toBe(60_000)
  })

  it('TN52 what is no error of a provider is kept as one', async () => {
    const { keeper, answer } = given(() => new Error('odd'))
    keeper.begin('acme')
    await answer()
    expect(keeper.look('acme').last).toMatchObject({ name: 'ProviderError', reason: 'Unexpected', message: 'odd' })
  })

  it('TN51 makes four at once, the rest in turn', async () => {
    const { keeper, asked, answer, woken } = given()
    const tenants = Array.from({ length: 10 }, (_, index) => `t${index}`)
    for (const tenant of tenants) keeper.begin(tenant)
    await settle()
    expect(asked).toHaveLength(4)
    for (let turn = 0; turn < 4; turn++) await answer()
    expect(asked).toEqual(tenants)
    expect(woken).toEqual(tenants)
  })

  it('TN53 an end waits for what is under way and forgets it', async () => {
    const { keeper, answer } = given()
    keeper.begin('acme')
    let isOver = false
    const end = keeper.end('acme').then(() => (isOver = true))
    await settle()
    expect(isOver).toBe(false)
    await answer()
    await end
    expect(keeper.look('acme')).toEqual({ last: undefined, isDue: true })
  })
})
