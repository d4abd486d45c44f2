/** What a test does to the fake client's calls: records them, lets them fail, comes between them. */
import type { Client } from '../client/client.ts'

/** One verb of the Client port. */
export type Verb = keyof Client

/** A call that was made, in order; `key` is absent on lists and watches. */
export type RecordedCall = {
  readonly verb: Verb
  readonly kind: string
  readonly key?: string
  readonly body?: unknown
}

export type FaultOptions = {
  /** Only calls on this kind. */
  readonly kind?: string
  /** How many calls fail; default 1. */
  readonly times?: number
  /** The write is applied all the same and only its answer is lost; default false. */
  readonly isApplied?: boolean
}

type Fault = FaultOptions & { readonly verb: Verb; readonly error: Error; left: number }
type Hook = { readonly verb: Verb; readonly run: () => void | Promise<void> }

/** The record of calls and the faults and hooks that await theirs. */
export class FakeCalls {
  readonly #faults: Fault[] = []
  readonly #hooks: Hook[] = []
  #made: RecordedCall[] = []

  /** Every call since the start or the last reset. */
  get made(): readonly RecordedCall[] {
    return this.#made
  }

  reset(): void {
    this.#made = []
  }

  failNext(verb: Verb, error: Error, options: FaultOptions = {}): void {
    this.#faults.push({ ...options, verb, error, left: options.times ?? 1 })
  }

  beforeNext(verb: Verb, run: Hook['run']): void {
    this.#hooks.push({ verb, run })
  }

  /** Records a call, lets a hook run and a fault strike, then does it. */
  async make<T>(call: RecordedCall, signal: AbortSignal | undefined, run: () => T): Promise<T> {
    signal?.throwIfAborted()
    this.#made.push(call)
    const hookAt = this.#hooks.findIndex((hook) => hook.verb === call.verb)
    if (hookAt >= 0) await this.#hooks.splice(hookAt, 1)[0]?.run()
    const fault = this.#strike(call)
    if (fault === undefined) return run()
    if (fault.isApplied) run()
    throw fault.error
  }

  #strike(call: RecordedCall): Fault | undefined {
    const at = this.#faults.findIndex(({ verb, kind }) => verb === call.verb && (kind ?? call.kind) === call.kind)
    const fault = this.#faults[at]
    if (fault !== undefined && --fault.left <= 0) this.#faults.splice(at, 1)
    return fault
  }
}
