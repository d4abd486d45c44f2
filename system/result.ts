/** A value or an expected failure, for outcomes that are not bugs (style rule 17). Pure. */

/** A success with its value, or a failure with its error. */
export type Result<T, E> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: E }

/** Wraps a success. */
export const ok = <T>(value: T): Result<T, never> => ({ ok: true, value })

/** Wraps an expected failure. */
export const err = <E>(error: E): Result<never, E> => ({ ok: false, error })
