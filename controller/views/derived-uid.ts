/** Derives the uid of an object that is stored nowhere from what makes it that object. Pure. */
import { fingerprint } from '../api/digest.ts'

/** The same parts give the same uid, in the form of a UUID of version 8 (RFC 9562: made by whoever makes it). */
export function derivedUid(...parts: readonly (string | number)[]): string {
  const hex = [0, 1, 2].map((salt) => fingerprint([salt, ...parts])).join('')
  const at = (from: number, to: number): string => hex.slice(from, to)
  return `${at(0, 8)}-${at(8, 12)}-8${at(12, 15)}-8${at(15, 18)}-${at(18, 30)}`
}
