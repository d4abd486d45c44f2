/** Decides whether a text is an RFC 3339 instant, exactly as Kubernetes' format date-time does. Pure. */

const DATE_TIME = /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:.\d+)?(?:[Zz]|[+-]\d\d:\d\d)$/u
const DAYS = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

/** The longest instant that is looked at, in characters. */
const CHARS_MAX = 64

/** Whether a text is a date and time with a zone, on a day that exists. */
export function isDateTime(text: string): boolean {
  const match = text.length > CHARS_MAX ? null : DATE_TIME.exec(text)
  if (match === null) return false
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number)
  return isDay(year ?? 0, month ?? 0, day ?? 0) && (hour ?? 24) <= 23 && (minute ?? 60) <= 59 && (second ?? 60) <= 59
}

const isDay = (year: number, month: number, day: number): boolean =>
  day >= 1 && day <= (DAYS[month - 1] ?? 0) && (month !== 2 || day <= 28 || isLeap(year))

const isLeap = (year: number): boolean => (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0
