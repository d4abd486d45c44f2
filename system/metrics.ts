/** Metrics as a port, so that rooms count without knowing who collects; names and labels are fixed and bounded. */
import {
  Registry,
  Counter as PromCounter,
  Gauge as PromGauge,
  Histogram as PromHistogram,
  collectDefaultMetrics,
} from 'prom-client'

/** Labels of a metric; few values each. */
export type Labels = Readonly<Record<string, string>>
/** A number that only grows. */
export interface Counter {
  add(labels?: Labels, by?: number): void
}
/** A number that moves both ways. */
export interface Gauge {
  set(value: number, labels?: Labels): void
}
/** How values are spread. */
export interface Histogram {
  observe(value: number, labels?: Labels): void
}

/** Makes instruments by name; asking twice for one name gives the same instrument. Names end in their unit. */
export interface Metrics {
  counter(name: string, help: string, labelNames?: readonly string[]): Counter
  gauge(name: string, help: string, labelNames?: readonly string[]): Gauge
  histogram(name: string, help: string, labelNames?: readonly string[], buckets?: readonly number[]): Histogram
  /** The Prometheus text exposition of everything. */
  expose(): Promise<string>
}

/** Metrics kept in memory and exposed in Prometheus' text format. `process: true` adds Node's own. */
export function createMetrics(options: { readonly process?: boolean } = {}): Metrics {
  const registry = new Registry()
  if (options.process) collectDefaultMetrics({ register: registry })
  const made = new Map<string, Counter | Gauge | Histogram>()
  const once = <T extends Counter | Gauge | Histogram>(name: string, make: () => T): T => {
    const instrument = (made.get(name) as T | undefined) ?? make()
    made.set(name, instrument)
    return instrument
  }
  return {
    counter: (name, help, labelNames = []) =>
      once(name, () => {
        const counter = new PromCounter({ name, help, labelNames: [...labelNames], registers: [registry] })
        return { add: (labels = {}, by = 1) => counter.inc({ ...labels }, by) }
      }),
    gauge: (name, help, labelNames = []) =>
      once(name, () => {
        const gauge = new PromGauge({ name, help, labelNames: [...labelNames], registers: [registry] })
        return { set: (value, labels = {}) => gauge.set({ ...labels }, value) }
      }),
    histogram: (name, help, labelNames = [], buckets) =>
      once(name, () => {
        const histogram = new PromHistogram({
          name,
          help,
          labelNames: [...labelNames],
          registers: [registry],
          ...(buckets ? { buckets: [...buckets] } : {}),
        })
        return { observe: (value, labels = {}) => histogram.observe({ ...labels }, value) }
      }),
    expose: () => registry.metrics(),
  }
}
