/** Turns Firestore's commit times into revisions (microseconds since 1970) and back. Pure. */

/** A time as Firestore tells it. */
export type RawTime = { readonly seconds: number; readonly nanos: number }

const MICROS = 1_000_000

/** The revision of a time: whole microseconds since 1970, a safe integer until the year 2255. */
export const revisionOf = ({ seconds, nanos }: RawTime): number => seconds * MICROS + Math.floor(nanos / 1000)

/** The time of a revision; Firestore's times have no digits beyond the microsecond, so it is the exact one. */
export const timeOf = (revision: number): RawTime => ({
  seconds: Math.floor(revision / MICROS),
  nanos: (revision % MICROS) * 1000,
})

/** Whether two times are the same to the nanosecond. */
export const isSameTime = (one: RawTime, other: RawTime): boolean =>
  one.seconds === other.seconds && one.nanos === other.nanos
