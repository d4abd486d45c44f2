/** Flags that several commands share. */
import { CliFailure } from './failure.ts'

const text = (value: string): string => value

/** `--data`. */
export const dataFlag = {
  kind: 'parsed',
  parse: text,
  brief: 'Data folder of the control plane; its kubeconfig is found there',
  placeholder: 'DIR',
  default: './data',
} as const

/** Where the API is. */
export const connectionFlags = {
  data: dataFlag,
  kubeconfig: { kind: 'parsed', parse: text, brief: 'Kubeconfig to use instead', placeholder: 'FILE', optional: true },
  server: { kind: 'parsed', parse: text, brief: 'URL of the API, with --token', placeholder: 'URL', optional: true },
  token: { kind: 'parsed', parse: text, brief: 'Token, with --server', placeholder: 'TOKEN', optional: true },
} as const

/** `--namespace`. */
export const namespaceFlag = {
  kind: 'parsed',
  parse: text,
  brief: 'Tenant: its namespace has its name',
  placeholder: 'TENANT',
  optional: true,
} as const

/** `--filename`. */
export const filesFlag = {
  kind: 'parsed',
  parse: text,
  brief: 'File or folder of manifests, - for standard input; may be repeated',
  placeholder: 'FILE|DIR|-',
  variadic: true,
} as const

/** Reads a port: 0 takes a free one. */
export function portOf(value: string): number {
  const port = Number(value)
  if (!/^\d{1,5}$/.test(value) || port > 65_535)
    throw new CliFailure('Usage', `Name a port from 0 to 65535: got "${value}"`)
  return port
}

const DURATION = /^(\d{1,9})(ms|s|m|h|d)?$/
const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** Reads a duration such as 30s, 5m, 1h or 90d; a bare number is seconds. In ms. */
export function durationMs(value: string): number {
  const found = DURATION.exec(value)
  if (found === null) throw new CliFailure('Usage', `Name a duration such as 30s, 5m or 1h: got "${value}"`)
  return Number(found[1]) * (UNIT_MS[found[2] ?? 's'] ?? 1_000)
}

/** Parses the text of a flag; an empty one is refused. */
export const parseText = text

/** `--output`. */
export const outputFlag = {
  kind: 'enum',
  values: ['wide', 'json', 'yaml', 'name'],
  brief: 'How to print; a table when absent',
  optional: true,
} as const

/** json for scripts, text for people. */
export const jsonFlag = {
  kind: 'enum',
  values: ['text', 'json'],
  brief: 'json for scripts',
  default: 'text',
} as const

/** A kind, with its names proposed for completion. */
export const kindPositional = {
  parse: text,
  proposeCompletions: async (partial: string) =>
    (await import('./kinds.ts')).kindWords.filter((word) => word.startsWith(partial)),
} as const

/** `--timeout`. */
export const timeoutFlag = {
  kind: 'parsed',
  parse: durationMs,
  brief: 'How long to wait, such as 30s or 5m',
  placeholder: 'DURATION',
} as const
