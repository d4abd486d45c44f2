/** GET inbox: a stream of wake-ups from the bus to one sprite, kept open with pings. */
import type { ServerResponse } from 'node:http'
import { spriteInbox } from '../../../protocol/channels.ts'
import { inboxMessage, type InboxMessage } from '../../../protocol/coordinator.ts'
import { CoordinatorError } from '../fault.ts'
import type { CoordinatorPorts, SpriteRoute } from '../ports.ts'

/** At least so often something is written, in ms; half of the contract's 15 s and a little less. */
const PING_INTERVAL_MS = 10_000
/** A sprite that leaves so much unread is cut off, in bytes. */
const BACKLOG_BYTES_MAX = 65_536
const INBOXES_MAX = 20_000

/** One inbox per sprite: a newer one ends the older. Closing it says nothing about the sprite's life. */
export function inboxRoute(ports: CoordinatorPorts): SpriteRoute {
  const open = new Map<string, ServerResponse>()
  return async ({ response, caller, signal }) => {
    const { tenant, sprite } = caller.identity
    const key = `${tenant}/${sprite}`
    if (!open.has(key) && open.size >= INBOXES_MAX)
      throw new CoordinatorError('Unavailable', 'Try again later, too many inboxes are open', { retryAfterMs: 5_000 })
    open.get(key)?.end()
    open.set(key, response)
    const write = (message: InboxMessage): void => writeLine(response, message)
    const end = await ports.bus.subscribe(spriteInbox(tenant, sprite), (message) => {
      const parsed = inboxMessage.safeParse(message)
      if (parsed.success) write(parsed.data)
    })
    try {
      if (signal.aborted || response.writableEnded) return
      response.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' })
      // What was assigned before the subscription stood has no message: one look at the start finds it.
      write({ type: 'work_available' })
      await untilEnded(ports, response, { signal, write })
    } finally {
      if (open.get(key) === response) open.delete(key)
      await end()
      response.end()
    }
  }
}

function writeLine(response: ServerResponse, message: InboxMessage): void {
  if (response.writableEnded || response.destroyed) return
  if (response.writableLength > BACKLOG_BYTES_MAX) response.destroy()
  else response.write(`${JSON.stringify(message)}\n`)
}

/** Pings until the client goes away, a newer inbox takes over, or the Coordinator closes. */
async function untilEnded(
  ports: Pick<CoordinatorPorts, 'clock'>,
  response: ServerResponse,
  stream: { readonly signal: AbortSignal; readonly write: (message: InboxMessage) => void },
): Promise<void> {
  const { signal, write } = stream
  let cancel = (): void => {}
  const ping = (): void => {
    write({ type: 'ping' })
    cancel = ports.clock.after(PING_INTERVAL_MS, ping, { background: true })
  }
  cancel = ports.clock.after(PING_INTERVAL_MS, ping, { background: true })
  try {
    await new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => resolve(), { once: true })
      for (const event of ['close', 'finish'] as const) response.once(event, resolve)
      if (signal.aborted || response.writableEnded || response.destroyed) resolve()
    })
  } finally {
    cancel()
  }
}
