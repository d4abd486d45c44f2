/** The emulator's wait: answers when a machine is in a state, is gone, cannot get there, or the time is over. */
import type { EmulatedMachine } from './model.ts'
import {
  MACHINE_NOT_FOUND,
  machineOf,
  seenMachineOf,
  type Route,
  type RouteContext,
  type RouteRequest,
} from './routes.ts'
import { answer, refusalAnswer, type Answer } from './wire.ts'

/** The route of wait. */
export const WAIT_ROUTES: readonly Route[] = [
  { method: 'GET', path: '/apps/:app/machines/:machine/wait', action: 'wait', run: wait },
]

const SETTLED: readonly string[] = ['started', 'stopped', 'suspended', 'destroyed', 'failed']
const WAIT_STATES: readonly string[] = [...SETTLED, 'settled']

type Asked = {
  readonly states: readonly string[]
  readonly words: string
  readonly version: string | undefined
  readonly fromEventId: string | undefined
  readonly timeoutMs: number
}

function wait(context: RouteContext, request: RouteRequest): Answer | Promise<Answer> {
  const asked = readAsked(request.query)
  if ('status' in asked) return asked
  // What is not seen yet is not found; from then on the machine's own host is asked.
  if (!seenMachineOf(context, request)) return MACHINE_NOT_FOUND
  const machine = machineOf(context, request)
  return machine
    ? reach(context, { machine, asked, signal: request.signal })
    : (outcomeOf(undefined, asked) ?? MACHINE_NOT_FOUND)
}

function readAsked(query: URLSearchParams): Asked | Answer {
  const seconds = Number(query.get('timeout') ?? 60)
  if (!Number.isInteger(seconds) || seconds < 1 || seconds > 60)
    return refusalAnswer(400, 'invalid_argument: timeout must be inside range [1s, 1m0s]')
  const wanted = query.getAll('state').flatMap((words) => words.split(','))
  if (wanted.length === 0) wanted.push('started')
  const unknown = wanted.find((state) => !WAIT_STATES.includes(state))
  if (unknown !== undefined) return refusalAnswer(400, `invalid_argument: unknown state "${unknown}"`)
  const version = query.get('version') ?? query.get('instance_id') ?? undefined
  if (wanted.includes('stopped') && version === undefined)
    return refusalAnswer(400, 'invalid_argument: instance_id is required to wait for stopped')
  return {
    states: wanted.flatMap((state) => (state === 'settled' ? SETTLED : [state])),
    words: wanted.join(', '),
    version,
    fromEventId: query.get('from_event_id') ?? undefined,
    timeoutMs: seconds * 1_000,
  }
}

/** What is answered of a machine as it is now; undefined while it is on its way. */
function outcomeOf(now: EmulatedMachine | undefined, asked: Asked): Answer | undefined {
  const { states, version, words } = asked
  const isGone = now === undefined || now.state === 'destroyed'
  if (isGone && states.includes('destroyed')) return answer({ ok: true, state: 'destroyed', ...(now ? told(now) : {}) })
  if (isGone) return MACHINE_NOT_FOUND
  if (version !== undefined && version !== '' && version !== now.instanceId)
    return refusalAnswer(408, `deadline_exceeded: machine failed to reach desired state, ${words}, currently replaced`)
  const passed = eventSince(now, asked)
  if (passed) return answer({ ok: true, state: passed.status, event_id: passed.id, version: now.instanceId })
  if (asked.fromEventId === undefined && states.includes(now.state))
    return answer({ ok: true, state: now.state, ...told(now) })
  const isOnlySuspended = states.every((state) => state === 'suspended')
  if (isOnlySuspended && (now.state === 'stopped' || now.state === 'failed'))
    return refusalAnswer(
      409,
      `failed_precondition: machine failed to reach desired state, ${words}, currently ${now.state}`,
    )
  return undefined
}

const told = (machine: EmulatedMachine): object => ({
  version: machine.instanceId,
  ...(machine.events[0] ? { event_id: machine.events[0].id } : {}),
})

/** The first event after the one that was named which tells of a wanted state. */
function eventSince(
  machine: EmulatedMachine,
  { fromEventId, states }: Asked,
): EmulatedMachine['events'][number] | undefined {
  if (fromEventId === undefined) return undefined
  const at = machine.events.findIndex((event) => event.id === fromEventId)
  const newer = at === -1 ? machine.events : machine.events.slice(0, at)
  return newer.findLast((event) => states.includes(event.status))
}

type Waiting = { readonly machine: EmulatedMachine; readonly asked: Asked; readonly signal: AbortSignal }

function reach(context: RouteContext, { machine, asked, signal }: Waiting): Answer | Promise<Answer> {
  const late = (): Answer => {
    const state = context.world.machine(machine.id)?.state ?? 'destroyed'
    const words = `machine failed to reach desired state, ${asked.words}, currently ${state}`
    return refusalAnswer(408, `deadline_exceeded: ${words}`)
  }
  const now = outcomeOf(machine, asked)
  if (now) return now
  return new Promise((resolve) => {
    const gone = AbortSignal.any([context.closing, signal])
    const end = (given: Answer): void => {
      stopListening()
      cancel()
      gone.removeEventListener('abort', cut)
      resolve(given)
    }
    const cut = (): void => end(late())
    const stopListening = context.world.onChange((id, changed) => {
      const given = id === machine.id ? outcomeOf(changed, asked) : undefined
      if (given) end(given)
    })
    const cancel = context.clock.after(asked.timeoutMs, () => end(late()), { background: true })
    gone.addEventListener('abort', cut, { once: true })
  })
}
