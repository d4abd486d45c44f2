/** Pure: the fault script of the emulator: which request meets which fault, as data. */

/**
 * What goes wrong with a request.
 *  status            answers so before anything has happened (fail before commit);
 *  body              answers 200 with this text (HTML, truncated JSON) before anything has happened;
 *  reset             cuts the connection before anything has happened;
 *  loseReply         takes effect, then cuts the connection;
 *  statusAfterCommit takes effect, then answers so (the silent success);
 *  delay             takes effect after so many ms of the clock, then answers as usual;
 *  hang              takes no effect and never answers (until the emulator closes).
 */
export type EmulatorFault =
  | {
      readonly kind: 'status'
      readonly status: number
      readonly error?: string
      readonly code?: string
      readonly headers?: Readonly<Record<string, string>>
    }
  | { readonly kind: 'body'; readonly text: string; readonly contentType?: string }
  | { readonly kind: 'reset' | 'loseReply' | 'hang' }
  | { readonly kind: 'statusAfterCommit'; readonly status: number; readonly error?: string }
  | { readonly kind: 'delay'; readonly delayMs: number }

/** One line of a script. */
export type FaultRule = {
  /** The route's action, for example `createMachine`; `*` is every one. */
  readonly action: string
  readonly fault: EmulatorFault
  /** How many requests meet it; default 1. */
  readonly times?: number
  /** Requests of this action that pass before the first meets it; default 0. */
  readonly after?: number
  /** The share of requests that meet it, drawn from the seed; default 1. */
  readonly probability?: number
  readonly app?: string
  readonly machine?: string
}

/** What a rule is matched with. */
export type FaultSubject = {
  readonly action: string
  readonly app?: string | undefined
  readonly machine?: string | undefined
}

/** The rules that are still to be met. */
export interface FaultScript {
  add(rule: FaultRule): void
  clear(): void
  /** The fault of one request; the first rule that applies is used up by one. */
  draw(subject: FaultSubject): EmulatorFault | undefined
}

/** A script that starts with these rules; `random` gives numbers in [0, 1). */
export function createFaultScript(rules: readonly FaultRule[], random: () => number): FaultScript {
  type Live = { readonly rule: FaultRule; passes: number; left: number }
  const live = (rule: FaultRule): Live => ({ rule, passes: rule.after ?? 0, left: rule.times ?? 1 })
  let lines = rules.map(live)
  return {
    add: (rule) => {
      lines.push(live(rule))
    },
    clear: () => {
      lines = []
    },
    draw: (subject) => {
      for (const line of lines) {
        if (line.left <= 0 || !matches(line.rule, subject)) continue
        if (line.passes > 0) {
          line.passes--
          continue
        }
        if (line.rule.probability !== undefined && random() >= line.rule.probability) continue
        line.left--
        lines = lines.filter((other) => other.left > 0)
        return line.rule.fault
      }
      return undefined
    },
  }
}

const matches = (rule: FaultRule, subject: FaultSubject): boolean =>
  (rule.action === '*' || rule.action === subject.action) &&
  (rule.app === undefined || rule.app === subject.app) &&
  (rule.machine === undefined || rule.machine === subject.machine)
