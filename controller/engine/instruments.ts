/** The metrics of the engine: names, labels and buckets; labels are controller and result only, so that series are bounded. */
import type { Metrics } from '../../system/metrics.ts'

/** What one controller counts. */
export type EngineInstruments = {
  /** A pass ended so, after so many ms. */
  pass(result: string, durationMs: number): void
  /** A key is tried again after a failure. */
  retry(): void
  /** So many keys wait. */
  depth(size: number): void
}

const DURATION_BUCKETS_SECONDS = [0.001, 0.005, 0.025, 0.1, 0.5, 2, 10, 60]

/** The instruments of one controller. */
export function engineInstruments(metrics: Metrics, controller: string): EngineInstruments {
  const total = metrics.counter('sprites_reconcile_total', 'Passes by controller and result.', ['controller', 'result'])
  const retries = metrics.counter('sprites_reconcile_retries_total', 'Passes that are tried again after a failure.', [
    'controller',
  ])
  const duration = metrics.histogram(
    'sprites_reconcile_duration_seconds',
    'How long passes take.',
    ['controller'],
    DURATION_BUCKETS_SECONDS,
  )
  const depth = metrics.gauge('sprites_queue_depth_keys', 'Keys that wait for a worker.', ['controller'])
  return {
    pass: (result, durationMs) => {
      total.add({ controller, result })
      duration.observe(durationMs / 1000, { controller })
    },
    retry: () => retries.add({ controller }),
    depth: (size) => depth.set(size, { controller }),
  }
}
