/** Drops undefined members, so that optional fields are absent rather than undefined. Pure. */

/** T with every member that may be undefined made optional. */
export type Present<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>
}

/** A copy of `members` without those whose value is undefined. */
export const present = <T extends object>(members: T): Present<T> =>
  // fromEntries loses the key types; the filter makes exactly Present<T>.
  Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as Present<T>
