/** Refuses, on the paths beside the Kubernetes API, what the API itself would refuse: tokens in the clear, foreign pages. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { ApiError, statusOf } from '../api/errors.ts'
import { credentialOf, refuseImpersonation, refuseUntrusted } from '../server/credentials.ts'
import { apiRequestOf } from '../server/http-exchange.ts'

/** True when the request was refused and is answered. */
export function refusedAtDoor(request: IncomingMessage, response: ServerResponse): Promise<boolean> {
  try {
    const asked = apiRequestOf(request, response)
    refuseUntrusted(asked, credentialOf(request.headers.authorization))
    refuseImpersonation(asked)
    return Promise.resolve(false)
  } catch (error) {
    if (!(error instanceof ApiError)) return Promise.reject(error as Error)
    response.writeHead(error.code, { 'content-type': 'application/json' })
    response.end(JSON.stringify(statusOf(error)))
    return Promise.resolve(true)
  }
}
