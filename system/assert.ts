/** Turns a broken invariant into a crash at the place where it broke (style rule 21). Pure. */

/** A bug in this program, never a fault of its input or surroundings. */
export class AssertionError extends Error {
  override readonly name = 'AssertionError'
}

/** Throws AssertionError unless the fact holds; `message` says which invariant broke. */
export function assert(fact: unknown, message: string): asserts fact {
  if (!fact) throw new AssertionError(message)
}

/** The end of an exhaustive switch: reached only if a union grew and the switch did not. */
export function unreachable(value: never): never {
  throw new AssertionError(`Unreachable case "${JSON.stringify(value)}"`)
}
