/** Passes a request on to another server and its answer back, watches included: what a proxy of HTTP does. */
import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http'

/** `open` begins the request onward. Whichever side breaks off, so does the other. */
export function passOn(
  request: IncomingMessage,
  response: ServerResponse,
  open: (onAnswer: (answer: IncomingMessage) => void) => ClientRequest,
): void {
  const onward = open((answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers)
    response.flushHeaders()
    answer.pipe(response)
    answer.on('error', () => response.destroy())
  })
  onward.on('error', () => response.destroy())
  response.on('close', () => onward.destroy())
  request.pipe(onward)
}
