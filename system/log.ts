/** Structured logs: one JSON line an event, its fields before its message, secrets redacted. */
import { pino, stdSerializers, type DestinationStream, type Logger } from 'pino'

/** Fields that every line about an object carries where it has them: tenant, kind, key, reconcileId. */
export type LogFields = Readonly<Record<string, unknown>>

/** The port of the log: one event a line, fields first. */
export interface Log {
  debug(fields: LogFields, message: string): void
  info(fields: LogFields, message: string): void
  warn(fields: LogFields, message: string): void
  error(fields: LogFields, message: string): void
  /** A log whose every line carries these fields too. */
  child(fields: LogFields): Log
}

/** Key names whose values never reach a log, at any of three depths. */
const SECRET_KEYS = [
  'authorization',
  'token',
  'apiKey',
  'api_key',
  'password',
  'secret',
  'env',
  'x-api-key',
  'ANTHROPIC_API_KEY',
  'SPRITE_TOKEN',
]

const redactPaths = [
  ...SECRET_KEYS.flatMap((key) => ['', '*.', '*.*.'].map((prefix) => `${prefix}["${key}"]`)),
  // Errors of Redis carry the command that was refused: AUTH and ACL SETUSER have passwords in it.
  '*.command.args',
]

/** Builds the process's log. `level` is pino's; `destination` defaults to stdout, tests pass a memory stream. */
export function createLog(options: { readonly level: string; readonly destination?: DestinationStream }): Log {
  const settings = {
    level: options.level,
    base: null,
    redact: { paths: redactPaths, censor: '[redacted]' },
    // Where an error stands as it is, pino would write an empty object.
    serializers: { error: (value: unknown) => (value instanceof Error ? stdSerializers.err(value) : value) },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
  }
  return fromPino(options.destination ? pino(settings, options.destination) : pino(settings))
}

function fromPino(logger: Logger): Log {
  return {
    debug: (fields, message) => logger.debug(fields, message),
    info: (fields, message) => logger.info(fields, message),
    warn: (fields, message) => logger.warn(fields, message),
    error: (fields, message) => logger.error(fields, message),
    child: (fields) => fromPino(logger.child(fields)),
  }
}

/** A log that keeps nothing; the default in tests. */
export const silentLog: Log = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => silentLog,
}
