/** Drops undefined members, so that optional fields are absent rather than undefined. Pure. */

/** T with every member that may be undefined made optional. */
export type Present<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>
}

/** A copy of `members` without those whose value is undefined. */
export function present<T extends object>(members: T): Present<T> {
  const kept: Partial<T> = {}
  for (const key in members) if (members[key] !== undefined) kept[key] = members[key]
  // The compiler cannot follow the loop: what is undefined is left out, which is exactly Present<T>.
  return kept as unknown as Present<T>
}
