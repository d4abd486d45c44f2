/** A Lua script and the digest that Redis knows it by. */
import { createHash } from 'node:crypto'

/** The text of a script and its SHA-1 in hex, as EVALSHA wants it. */
export type Script = { readonly lua: string; readonly sha: string }

/** The script of a text. */
export const createScript = (lua: string): Script => ({ lua, sha: createHash('sha1').update(lua).digest('hex') })
