/** The continue token of a paged list: the revision of its snapshot and the key after which to go on. Pure. */
import { err, ok, type Result } from '../../system/result.ts'
import { isJsonObject } from '../api/patches.ts'

/** Where the next page of a list begins. */
export type ContinueToken = {
  readonly revision: number
  readonly after: { readonly namespace: string; readonly name: string }
}

const TOKEN_CHARS_MAX = 2_048

/** The text that a client sends back, opaque to it. */
export const encodeContinue = ({ revision, after }: ContinueToken): string =>
  Buffer.from(JSON.stringify({ rv: revision, ns: after.namespace, n: after.name })).toString('base64url')

/** Reads a token; the error is the sentence for a BadRequest. */
export function decodeContinue(text: string): Result<ContinueToken, string> {
  const malformed = err('continue key is not valid: it was not made by this server')
  if (text.length > TOKEN_CHARS_MAX) return malformed
  try {
    const token: unknown = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'))
    if (!isJsonObject(token)) return malformed
    const { rv, ns, n } = token
    if (typeof rv !== 'number' || !Number.isSafeInteger(rv) || rv < 1) return malformed
    if (typeof ns !== 'string' || typeof n !== 'string' || n === '') return malformed
    return ok({ revision: rv, after: { namespace: ns, name: n } })
  } catch {
    return malformed
  }
}
