/** Asks whichever control plane of a fleet answers, and asks again what a fault broke off: for tests that break things. */
import { realClock } from '../../system/clock.ts'
import type { Fleet } from './fleet.ts'
import type { Plane } from './plane.ts'
import type { Api } from './workload.ts'

/** One that is stopped or cut off does not answer; then the next is asked, in ms. */
const ANSWER_MS = 5_000
const TRIES_MAX = 60

/** An API over all control planes; `remove` deletes. Rejects when none answers for minutes, and with what is refused. */
export function anyPlane(fleet: Fleet): Api & { readonly remove: (path: string) => Promise<void> } {
  const change = async (method: 'POST' | 'DELETE', path: string, body?: object): Promise<void> => {
    // What took effect before its answer was lost is refused the second time.
    const doneBy = method === 'POST' ? 409 : 404
    await insist(fleet, async (plane) => {
      const { status, text } = await plane.ask(method, path, body)
      if (status >= 200 && status <= 299) return
      if (status !== doneBy) throw new Error(`${method} ${path}: ${status} ${text.slice(0, 300)}`)
    })
  }
  return {
    list: (plural) => insist(fleet, (plane) => plane.list(plural)),
    post: (path, body) => change('POST', path, body),
    remove: (path) => change('DELETE', path),
  }
}

async function insist<T>(fleet: Fleet, ask: (plane: Plane) => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries++) {
    const plane = fleet.planes[tries % fleet.planes.length]
    try {
      if (plane?.pid === undefined) throw new Error('It is not running')
      return await within(ask(plane))
    } catch (error) {
      if (tries >= TRIES_MAX) throw error
      await realClock.sleep(200)
    }
  }
}

async function within<T>(answer: Promise<T>): Promise<T> {
  const timer = new AbortController()
  const late = realClock.sleep(ANSWER_MS, timer.signal).then(() => Promise.reject(new Error('No answer')))
  try {
    return await Promise.race([answer, late])
  } finally {
    timer.abort()
    late.catch(() => {})
    answer.catch(() => {})
  }
}
