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
        const child = childOf(labelNames, (labels) => counter.labels({ ...labels }))
        return { add: (labels = {}, by = 1) => child(labels).inc(by) }
      }),
    gauge: (name, help, labelNames = []) =>
      once(name, () => {
        const gauge = new PromGauge({ name, help, labelNames: [...labelNames], registers: [registry] })
        const child = childOf(labelNames, (labels) => gauge.labels({ ...labels }))
        return { set: (value, labels = {}) => child(labels).set(value) }
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
        const child = childOf(labelNames, (labels) => histogram.labels({ ...labels }))
        return { observe: (value, labels = {}) => child(labels).observe(value) }
      }),
    expose: () => registry.metrics(),
  }
}

/** The instrument of a set of labels, made once: looking it up in prom-client costs more than counting. */
function childOf<T>(labelNames: readonly string[], make: (labels: Labels) => T): (labels: Labels) => T {
  const children = new Map<string, T>()
  return (labels) => {
    let key = ''
    for (const name of labelNames) key += `${labels[name] ?? ''}\u0000`
    // A label that was not declared is prom-client's to refuse.
    for (const name in labels) if (!labelNames.includes(name)) return make(labels)
    const known = children.get(key)
    if (known !== undefined) return known
    const made = make(labels)
    children.set(key, made)
    return made
  }
}
