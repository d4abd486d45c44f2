/** Leases in memory for tests of sharing: compare-and-swap, one history, and faults that the test throws in for each process. */
import { ApiError } from '../api/errors.ts'
import type { Clock } from '../../system/clock.ts'
import type { Lease, LeaseList, LeasesPort, LeaseSpec } from './lease.ts'

/** What becomes of one call: refused, carried out without an answer, carried out so many ms late without an answer, or just slow. */
export type LeaseFault =
  | { readonly type: 'refused' }
  | { readonly type: 'lost' }
  | { readonly type: 'late'; readonly ms: number }
  | { readonly type: 'slow'; readonly ms: number }

/** What a process's calls are like: `clock` is the true time that calls take. */
export type LeaseWire = {
  readonly clock: Clock
  /** Asked once a call. */
  readonly fault: (verb: 'get' | 'list' | 'create' | 'update') => LeaseFault | undefined
  /** Ms that a list is behind the present, at most. */
  readonly lagMs?: () => number
  readonly latencyMs: () => number
  /** Whether hints of changes arrive. */
  readonly hints: () => boolean
}

type Version = { readonly revision: number; readonly atMs: number; readonly leases: ReadonlyMap<string, Lease> }

/** A store of leases that several processes share. */
export function fakeLeases(trueClock: Clock) {
  let versions: Version[] = [{ revision: 1, atMs: 0, leases: new Map() }]
  const listeners = new Set<(lease?: Lease) => void>()
  const spoilt = new Map<string, 'InternalError' | 'AlreadyExists'>()
  const readable = (name: string): string => {
    const reason = spoilt.get(name)
    if (reason !== undefined) throw new ApiError(reason, name)
    return name
  }
  const counts = { get: 0, list: 0, create: 0, update: 0 }
  const current = (): Version => versions.at(-1) ?? { revision: 1, atMs: 0, leases: new Map() }
  const put = (namespace: string, name: string, spec: LeaseSpec): Lease => {
    const revision = current().revision + 1
    const metadata = {
      name,
      namespace,
      uid: name,
      generation: 1,
      creationTimestamp: '',
      resourceVersion: String(revision),
    }
    const lease: Lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec }
    const leases = new Map(current().leases).set(name, lease)
    versions = [...versions.slice(-200), { revision, atMs: trueClock.monotonic(), leases }]
    for (const listener of listeners) listener(lease)
    return lease
  }
  const call = async <T>(
    wire: LeaseWire,
    verb: keyof typeof counts,
    { signal, run }: { readonly signal: AbortSignal; readonly run: () => T },
  ): Promise<T> => {
    counts[verb]++
    const fault = wire.fault(verb)
    await wire.clock.sleep(wire.latencyMs(), signal)
    if (fault?.type === 'refused') throw new ApiError('ServiceUnavailable', 'refused')
    if (fault?.type === 'late') {
      // On its way, whatever becomes of who sent it.
      void wire.clock
        .sleep(fault.ms)
        .then(run)
        .catch(() => {})
      await wire.clock.sleep(3_600_000, signal)
    }
    const result = run()
    if (fault?.type === 'lost') throw new ApiError('Timeout', 'lost')
    await wire.clock.sleep(wire.latencyMs() + (fault?.type === 'slow' ? fault.ms : 0), signal)
    return result
  }
  const portFor = (wire: LeaseWire): LeasesPort => ({
    get: (_namespace, name, signal) => call(wire, 'get', { signal, run: () => current().leases.get(readable(name)) }),
    list: (_namespace, signal) =>
      call(wire, 'list', {
        signal,
        run: (): LeaseList => {
          const asOfMs = trueClock.monotonic() - (wire.lagMs?.() ?? 0)
          const seen = versions.findLast(({ atMs }) => atMs <= asOfMs) ?? current()
          return { resourceVersion: String(seen.revision), items: [...seen.leases.values()] }
        },
      }),
    create: (namespace, name, spec, signal) =>
      call(wire, 'create', {
        signal,
        run: () => {
          if (current().leases.has(readable(name))) throw new ApiError('AlreadyExists', name)
          return put(namespace, name, spec)
        },
      }),
    update: (old, spec, signal) =>
      call(wire, 'update', {
        signal,
        run: () => {
          const { name, namespace = '', resourceVersion } = old.metadata
          const now = current().leases.get(readable(name))
          if (now === undefined) throw new ApiError('NotFound', name)
          if (now.metadata.resourceVersion !== resourceVersion) throw new ApiError('Conflict', name)
          // As every API server: what changes nothing moves no version.
          return JSON.stringify(now.spec) === JSON.stringify(spec) ? now : put(namespace, name, spec)
        },
      }),
    watch: (_namespace, onChange) => {
      const listener = (lease?: Lease): void => {
        if (wire.hints()) onChange(lease)
      }
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  })
  const remove = (name: string): void => {
    const leases = new Map(current().leases)
    leases.delete(name)
    versions = [...versions, { revision: current().revision + 1, atMs: trueClock.monotonic(), leases }]
  }
  /** Makes it what nobody can read: left out of lists, refused in every call. */
  const spoil = (name: string, reason: 'InternalError' | 'AlreadyExists'): void => {
    remove(name)
    spoilt.set(name, reason)
  }
  return { portFor, put, remove, spoil, counts, leases: () => current().leases }
}
