/** Puts the message bus before the Coordinator's stream: wake-ups and signs of life go there while it can be had. */
import type { HeartbeatMessage } from '../protocol/channels.ts'
import type { HeartbeatRequest, InboxMessage } from '../protocol/coordinator.ts'
import { createBusLink, type BusLink, type BusLinkPorts } from './bus-link.ts'
import { CoordinatorError } from './coordinator-calls.ts'
import type { BusAccess, CoordinatorClient, InboxListener } from './coordinator-client.ts'

/** What the bus needs of the process, and who the sprite is there. */
export type BusInboxPorts = Pick<BusLinkPorts, 'clock' | 'entropy' | 'log' | 'open'> & {
  readonly identity: Pick<HeartbeatMessage, 'uid' | 'incarnation'>
}

/** On the bus, every so many signs of life go to the Coordinator too: it answers with what the sprite is to do. */
const COORDINATOR_EVERY_BEATS = 3

/** The same client, which listens on the bus whenever the Coordinator offers one and the bus lets it. */
export function withBus(coordinator: CoordinatorClient & BusAccess, ports: BusInboxPorts): CoordinatorClient {
  let listener: InboxListener | undefined
  let isOffered = false
  const link = createBusLink({
    ...ports,
    askAccess: (signal) => coordinator.access(signal),
    onMessage: (message: InboxMessage) => listener?.onMessage(message),
  })
  return {
    ...coordinator,
    announce: async (startedAtMs, version, signal) => {
      const terms = await coordinator.announce(startedAtMs, version, signal)
      isOffered = terms.bus === true
      return terms
    },
    inbox: async (mine, signal) => {
      listener = mine
      if (isOffered) link.start(signal)
      await listenByBest(coordinator, link, { listener: mine, signal })
    },
    heartbeat: heartbeatsOver(coordinator, link, ports),
  }
}

/** Goes from one to the other until the stream itself ends; its failure while the bus is up ends nothing. */
async function listenByBest(
  coordinator: CoordinatorClient,
  link: BusLink,
  inbox: { readonly listener: InboxListener; readonly signal: AbortSignal },
): Promise<void> {
  const { listener, signal } = inbox
  // Bounded: each round but the first waited for the link, which backs off.
  while (!signal.aborted) {
    if (link.isUp) {
      // What was sent between the two is asked for once.
      listener.onOpen()
      await changedOrAborted(link, signal)
    } else if ((await streamUntilUp(coordinator, link, inbox)) === 'ended') return
  }
}

async function streamUntilUp(
  coordinator: CoordinatorClient,
  link: BusLink,
  inbox: { readonly listener: InboxListener; readonly signal: AbortSignal },
): Promise<'ended' | 'up'> {
  const replaced = new AbortController()
  const end = link.onceChanged(() => replaced.abort())
  try {
    await coordinator.inbox(inbox.listener, AbortSignal.any([inbox.signal, replaced.signal]))
    return link.isUp ? 'up' : 'ended'
  } catch (error) {
    const isFenced = error instanceof CoordinatorError && error.reason === 'Fenced'
    if (isFenced || !link.isUp || inbox.signal.aborted) throw error
    return 'up'
  } finally {
    end()
  }
}

const changedOrAborted = (link: BusLink, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const done = (): void => {
      end()
      signal.removeEventListener('abort', done)
      resolve()
    }
    const end = link.onceChanged(done)
    signal.addEventListener('abort', done, { once: true })
    if (signal.aborted) done()
  })

/** Each on the bus; to the Coordinator the third, those that say something new, and what the bus did not take. */
function heartbeatsOver(
  coordinator: CoordinatorClient,
  link: BusLink,
  ports: BusInboxPorts,
): CoordinatorClient['heartbeat'] {
  let skipped = 0
  let told = ''

  return async (body, signal) => {
    const isTaken = link.isUp && (await link.beat(messageOf(body, ports)))
    const saying = JSON.stringify(body)
    if (isTaken && saying === told && skipped + 1 < COORDINATOR_EVERY_BEATS) {
      skipped += 1
      return { directive: 'continue' }
    }
    const reply = await coordinator.heartbeat(body, signal)
    skipped = 0
    told = saying
    return reply
  }
}

const messageOf = (body: HeartbeatRequest, ports: BusInboxPorts): HeartbeatMessage => ({
  ...ports.identity,
  state: body.state,
  ...(body.work === undefined ? {} : { work: body.work.name }),
  atMs: ports.clock.now(),
})
