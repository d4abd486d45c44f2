/** The audit log on disk: one chained JSON line an event, never lost in silence; rules in docs/spec/audit.md. */
import type { Entropy } from '../../system/entropy.ts'
import type { Log } from '../../system/log.ts'
import type { Metrics } from '../../system/metrics.ts'
import { microTimestamp } from '../../system/timestamp.ts'
import type { AuditEvent, AuditSink } from '../server/audit.ts'
import { openLineOf } from './audit-chain.ts'
import { createFloodGate } from './audit-flood.ts'
import { openAuditWriter, type AuditWriterOptions, type Remark } from './audit-writer.ts'

/** What the audit log is opened with. */
export type AuditLogOptions = Omit<AuditWriterOptions, 'onRotateError'> & {
  readonly entropy: Entropy
  readonly log: Log
  readonly metrics: Metrics
}

/** The open audit log. */
export type AuditLog = AuditSink & {
  /** Why it cannot be written now, in one line; tries again first. Undefined when it can. */
  readonly problem: () => string | undefined
  /** Writes what waits and closes the file. */
  readonly close: () => void
}

/** Events that wait for the disk, in characters; later ones are counted, and that they are missing is written. */
const WAITING_CHARS_MAX = 8_388_608
/** Opens the log and takes up its chain. Throws node's error when it cannot be opened. */
export function openAuditLog(options: AuditLogOptions): AuditLog {
  const { log } = options
  const gate = createFloodGate(options.clock)
  const spool = openSpool(options)
  const tellFloods = (of: 'past' | 'all'): void => {
    for (const { username, count } of gate.take(of))
      spool.push(
        ownEvent({ what: `${count} more refusals of this caller were not written one by one`, username }, options),
      )
  }
  let isClosed = false
  return {
    write: (event) => {
      if (isClosed) return log.error({}, 'Audit event came after the audit log was closed')
      tellFloods('past')
      if (gate.lets(event)) spool.push(event)
      spool.flush()
    },
    problem: () => {
      const failure = spool.failure() === undefined ? undefined : spool.flush()
      return failure === undefined ? undefined : `The audit log cannot be written: ${failure}`
    },
    close: () => {
      if (isClosed) return
      isClosed = true
      tellFloods('all')
      const failure = spool.flush()
      if (failure !== undefined) log.error({ code: failure }, 'Audit log was closed with events unwritten')
      spool.close()
    },
  }
}

/** What waits for the disk, and what is to be said of that. */
type Spool = {
  /** Queues an event; one that finds no room is counted. */
  readonly push: (event: AuditEvent) => void
  /** Writes what waits; gives the code of the failure when it cannot. */
  readonly flush: () => string | undefined
  readonly failure: () => string | undefined
  readonly close: () => void
}

function openSpool(options: AuditLogOptions): Spool {
  const { log } = options
  const counts = countersOf(options.metrics)
  const onRotateError = (error: unknown): void => log.error({ code: codeOf(error) }, 'Audit log cannot be put aside')
  const writer = openAuditWriter({ ...options, onRotateError })
  const queue = createQueue()
  let lost = 0
  let failure: string | undefined

  const remark = (said: Remark): void => {
    log.error({ what: said.what }, 'Audit log has something to say of itself')
    queue.unshift(openLineOf(ownEvent(said, options)))
  }

  function drain(): void {
    for (let line = queue.first(); line !== undefined; line = queue.first()) {
      writer.append(line)
      queue.shift()
      counts.written.add()
    }
  }

  function writeAll(): void {
    const found = writer.look()
    if (found !== undefined) remark(found)
    drain()
    if (lost === 0) return
    remark({ what: `${lost} events before this line could not be written` })
    lost = 0
    drain()
  }

  function flush(): string | undefined {
    try {
      writeAll()
      if (failure !== undefined) log.info({}, 'Audit log can be written again')
      failure = undefined
    } catch (error) {
      counts.failures.add()
      if (failure === undefined) log.error({ code: codeOf(error) }, 'Audit log cannot be written')
      failure = codeOf(error)
    }
    return failure
  }

  if (writer.found !== undefined) remark(writer.found)
  flush()
  const push = (event: AuditEvent): void => {
    if (queue.push(openLineOf(event))) return
    lost++
    counts.lost.add()
  }
  return { push, flush, failure: () => failure, close: writer.close }
}

/** Lines that wait for the disk, of bounded size; what the log says of itself always has room. */
function createQueue() {
  const lines: string[] = []
  let chars = 0
  return {
    first: () => lines[0],
    shift: () => {
      chars -= lines.shift()?.length ?? 0
    },
    unshift: (line: string) => {
      lines.unshift(line)
      chars += line.length
    },
    /** Whether there was room. */
    push: (line: string): boolean => {
      if (chars + line.length > WAITING_CHARS_MAX) return false
      lines.push(line)
      chars += line.length
      return true
    },
  }
}

/** Node's code of a failure, such as ENOSPC. */
const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'

/** What the log says of itself, or of a caller. */
function ownEvent(
  said: Remark & { readonly username?: string },
  { clock, entropy }: Pick<AuditLogOptions, 'clock' | 'entropy'>,
): AuditEvent {
  const now = microTimestamp(clock.now())
  const { what, annotations = {}, username = 'system:audit' } = said
  return {
    kind: 'Event',
    apiVersion: 'audit.k8s.io/v1',
    level: 'Metadata',
    auditID: entropy.uuid(),
    stage: 'ResponseComplete',
    requestURI: '/audit.log',
    verb: 'record',
    user: { username, groups: [] },
    sourceIPs: [],
    responseStatus: { code: 500, message: what },
    requestReceivedTimestamp: now,
    stageTimestamp: now,
    annotations,
  }
}

const countersOf = (metrics: Metrics) => ({
  written: metrics.counter('audit_events_total', 'Events that were written to the audit log.'),
  lost: metrics.counter('audit_events_lost_total', 'Events that the audit log had no room for.'),
  failures: metrics.counter('audit_write_failures_total', 'Tries to write to the audit log that failed.'),
})
