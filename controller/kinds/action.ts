/** What an action that is asked of an object comes to. Pure: types. */
import type { JsonObject } from '../api/object.ts'

/** A change of what is declared, nothing since it is declared already, or why it cannot help. */
export type ActionVerdict =
  /** A merge patch of the object, never of its status: the controllers act on it. The warning says what it does not do. */
  | { readonly do: 'change'; readonly patch: JsonObject; readonly warning?: string }
  | { readonly do: 'nothing' }
  /** Conflict for a state that stands in the way, Forbidden for what plan or tenant do not allow. */
  | { readonly do: 'refuse'; readonly reason: 'Conflict' | 'Forbidden'; readonly why: string }

/** A state stands in the way. */
export const inTheWay = (why: string): ActionVerdict => ({ do: 'refuse', reason: 'Conflict', why })
