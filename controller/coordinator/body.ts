/** Reads and checks the JSON body of a request: bounded in bytes and depth before it is parsed, then by a schema. */
import type { IncomingMessage } from 'node:http'
import type { z } from 'zod'
import { CoordinatorError } from './fault.ts'

/** Largest body of the sprite API, in bytes. */
export const BODY_BYTES_MAX = 1_048_576
/** Deepest nesting of a body. */
export const BODY_DEPTH_MAX = 64
const ISSUES_MAX = 20

/** Reads a body of at most `bytesMax`; throws TooLarge, or Invalid when the client went away. */
export async function readBody(request: IncomingMessage, bytesMax: number): Promise<Buffer> {
  const declared = Number(request.headers['content-length'] ?? 0)
  if (declared > bytesMax) throw tooLarge(bytesMax)
  const chunks: Buffer[] = []
  let sizeBytes = 0
  try {
    for await (const chunk of request) {
      // A request without an encoding set yields Buffers.
      const bytes = chunk as Buffer
      sizeBytes += bytes.length
      if (sizeBytes > bytesMax) throw tooLarge(bytesMax)
      chunks.push(bytes)
    }
  } catch (error) {
    if (error instanceof CoordinatorError) throw error
    throw new CoordinatorError(
      'Invalid',
      'Send the whole body, the connection ended before it did',
      {},
      { cause: error },
    )
  }
  return Buffer.concat(chunks)
}

const tooLarge = (bytesMax: number): CoordinatorError =>
  new CoordinatorError('TooLarge', `Send at most ${bytesMax} bytes`)

/** Parses JSON of bounded depth; throws Invalid. */
export function parseJson(text: string): unknown {
  if (depthOf(text) > BODY_DEPTH_MAX)
    throw new CoordinatorError('Invalid', `Send JSON of at most ${BODY_DEPTH_MAX} levels`)
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new CoordinatorError('Invalid', 'Send JSON, the body is not', {}, { cause: error })
  }
}

/** The deepest nesting of brackets outside strings; stops counting when it is past the bound. */
export function depthOf(text: string): number {
  let [depth, deepest, inString] = [0, 0, false]
  for (let at = 0; at < text.length && deepest <= BODY_DEPTH_MAX; at++) {
    const char = text.charCodeAt(at)
    if (inString) {
      if (char === 0x5c) at++
      else if (char === 0x22) inString = false
    } else if (char === 0x22) inString = true
    else if (char === 0x7b || char === 0x5b) deepest = Math.max(deepest, ++depth)
    else if (char === 0x7d || char === 0x5d) depth--
  }
  return deepest
}

/** The value as the schema says; throws Invalid with the first 20 issues. */
export function checked<S extends z.ZodType>(schema: S, value: unknown): z.infer<S> {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const issues = parsed.error.issues
    .slice(0, ISSUES_MAX)
    .map((issue) => `${issue.path.join('.') || 'body'}: ${issue.message}`.slice(0, 200))
  throw new CoordinatorError('Invalid', `Correct the body: ${issues.slice(0, 3).join('; ')}`, { issues })
}

/** The JSON body of a request as the schema says; throws TooLarge or Invalid. */
export async function readJson<S extends z.ZodType>(request: IncomingMessage, schema: S): Promise<z.infer<S>> {
  const body = await readBody(request, BODY_BYTES_MAX)
  return checked(schema, parseJson(body.toString('utf8') || '{}'))
}
