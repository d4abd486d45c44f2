/** GET /v1/malformed: documents of the store that are no objects and are left out of everything; for platform admins. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Store } from '../store/store.ts'
import { admitted, answerJson, refuseRequest, type AdminRequestPorts } from './admin-request.ts'

/** A document that is no object of ours: where it lies, and why. */
export type Malformed = { readonly path: string; readonly fault: string }

/** What the answer says. */
export type MalformedReply = {
  /** The first of them, by path. */
  readonly documents: readonly Malformed[]
  /** How many more there are. */
  readonly more: number
}

/** Where it is answered. */
export const MALFORMED_PATH = '/v1/malformed'
const SHOWN_MAX = 100

/** What the route needs of the process. */
export type MalformedRoutePorts = AdminRequestPorts & {
  /** A store that can tell; from any other there is nothing to tell. */
  readonly store: Store & { readonly malformed?: () => readonly Malformed[] }
}

/** False for any other path. Never throws. */
export async function routeMalformed(
  ports: MalformedRoutePorts,
  request: IncomingMessage,
  response: ServerResponse,
  url: URL,
): Promise<boolean> {
  if (url.pathname !== MALFORMED_PATH) return false
  try {
    await admitted(ports, request, MALFORMED_PATH)
    answerJson(response, 200, replyOf(ports.store.malformed?.() ?? []))
  } catch (error) {
    refuseRequest(response, error, 'Cannot tell what is malformed')
  }
  return true
}

/** The first of them by path, and how many more. Pure. */
export function replyOf(malformed: readonly Malformed[]): MalformedReply {
  const sorted = [...malformed].sort((one, other) => (one.path < other.path ? -1 : 1))
  return { documents: sorted.slice(0, SHOWN_MAX), more: Math.max(0, sorted.length - SHOWN_MAX) }
}
