/** Decides which fault a call to the fake provider meets: one-shot faults in order first, then rates by a seeded draw. Pure. */
import type { ProviderErrorReason } from '../machines.ts'

/** The port's methods, by name. */
export type FakeCall = 'list' | 'get' | 'create' | 'start' | 'stop' | 'destroy' | 'removeTenant'

/**
 * What goes wrong with a call.
 *  refuse       fails with this reason before anything has happened;
 *  loseReply    takes effect, then fails with OutcomeUnknown;
 *  delayEffect  fails with OutcomeUnknown and takes effect that many steps later;
 *  hang         nothing happens and nothing is answered until the call's own deadline (OutcomeUnknown);
 *  stale        a list shows the tenant's machines as they were before the last tick;
 *  partial      a list shows about half of them and says complete: false;
 *  lossy        a list shows about half of them and says complete: true (the provider lies);
 *  empty        a list shows none and says complete: true (the provider lies).
 */
export type FakeFault =
  | { readonly kind: 'refuse'; readonly reason: ProviderErrorReason; readonly retryAfterMs?: number }
  | { readonly kind: 'loseReply' }
  | { readonly kind: 'delayEffect'; readonly steps: number }
  | { readonly kind: 'hang' }
  | { readonly kind: 'stale' | 'partial' | 'lossy' | 'empty' }

/** True for the faults that only make a list untrue. */
export const isWrongTruth = (
  fault: FakeFault | undefined,
): fault is Extract<FakeFault, { kind: 'stale' | 'partial' | 'lossy' | 'empty' }> =>
  fault !== undefined && ['stale', 'partial', 'lossy', 'empty'].includes(fault.kind)

/** A fault that calls meet by chance. */
export type FaultRate = { readonly call: FakeCall; readonly fault: FakeFault; readonly probability: number }

/** Which faults are still to come. */
export interface FaultPlan {
  /** The next `times` (1) calls of this kind meet the fault. */
  next(call: FakeCall, fault: FakeFault, times?: number): void
  /** Replaces the probabilistic faults; an empty list ends them. */
  rates(rates: readonly FaultRate[]): void
  clear(): void
  /** The fault of one call; consumes a one-shot one. */
  draw(call: FakeCall): FakeFault | undefined
}

/** A plan of faults; `random` gives numbers in [0, 1). */
export function createFaultPlan(random: () => number): FaultPlan {
  const oneShot = new Map<FakeCall, FakeFault[]>()
  let standing: readonly FaultRate[] = []
  return {
    next: (call, fault, times = 1) => {
      const queued = oneShot.get(call) ?? []
      for (let count = 0; count < times; count++) queued.push(fault)
      oneShot.set(call, queued)
    },
    rates: (rates) => {
      standing = rates
    },
    clear: () => {
      oneShot.clear()
      standing = []
    },
    draw: (call) => {
      const queued = oneShot.get(call)?.shift()
      if (queued) return queued
      return standing.find((rate) => rate.call === call && random() < rate.probability)?.fault
    },
  }
}
