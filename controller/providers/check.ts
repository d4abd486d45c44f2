/** One answer of a check before work begins: what was looked at, how it stands, and what to do. Types only. Pure. */

/** `warn`: it works, but not as it should; `fail`: it does not work. */
export type CheckLevel = 'ok' | 'warn' | 'fail'

/** One line of a report. */
export type Check = {
  readonly name: string
  readonly level: CheckLevel
  readonly text: string
  /** What a person can do; absent where nothing is to be done. */
  readonly fix?: string
}

/** The failed or doubtful one, with what to do. */
export const check = (name: string, level: CheckLevel, text: string, fix?: string): Check => ({
  name,
  level,
  text,
  ...(fix === undefined ? {} : { fix }),
})
