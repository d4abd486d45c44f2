/** Runs a request when its turn has come: a short one on a seat, a long one on its actor's allowance. */
import { isStream, type ApiRequest, type ApiResponse } from './exchange.ts'
import type { Seats } from './seats.ts'
import type { Call } from './verbs.ts'

/** How a request is run, once it may. */
export type Run = (call: Call) => Promise<ApiResponse>

/** A short request: its body is read first, so that a client that sends slowly keeps no seat from anybody. */
export async function seated(seats: Seats, call: Call, run: Run): Promise<ApiResponse> {
  const body = hasBody(call.request) ? await call.request.readBody() : undefined
  const asked =
    body === undefined ? call : { ...call, request: { ...call.request, readBody: () => Promise.resolve(body) } }
  const leave = await seats.enter({ ...flowOf(call), sizeBytes: body?.length ?? 0 }, call.request)
  try {
    return await run(asked)
  } finally {
    leave()
  }
}

/** A long answer, such as a watch, would keep others from a seat: it stands until the request's signal aborts. */
export async function standing(seats: Seats, call: Call, run: Run): Promise<ApiResponse> {
  const leave = seats.stand(flowOf(call))
  call.request.signal.addEventListener('abort', leave, { once: true })
  try {
    const response = await run(call)
    if (!isStream(response.body)) leave()
    return response
  } catch (error) {
    leave()
    throw error
  }
}

const flowOf = ({ actor, path }: Call) => ({
  actor,
  ...(path.namespace === undefined ? {} : { namespace: path.namespace }),
})

const hasBody = ({ method, headers }: ApiRequest): boolean =>
  method !== 'GET' && (headers.get('content-length') !== '0' || headers.has('transfer-encoding'))
