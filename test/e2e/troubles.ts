/** Pure: what an operator would be told by the logs: each message at warn or error, how often, and one of its lines. */

/** One message. */
export type Trouble = {
  readonly level: string
  readonly message: string
  readonly count: number
  readonly line: string
}

/** The messages in logs, the most frequent first; lines that are no JSON are told as they are. */
export function troublesIn(output: string): readonly Trouble[] {
  const found = new Map<string, Trouble>()
  for (const line of output.split('\n')) {
    const { level, message } = readLine(line)
    if (level === undefined) continue
    const key = `${level} ${message}`
    found.set(key, { level, message, count: (found.get(key)?.count ?? 0) + 1, line: line.slice(0, 500) })
  }
  return [...found.values()].sort((a, b) => b.count - a.count)
}

function readLine(line: string): { readonly level?: string; readonly message: string } {
  if (line.trim() === '' || line.startsWith('Stopping: ')) return { message: '' }
  try {
    const { level, msg = '' } = JSON.parse(line) as { level?: string; msg?: string }
    // Names within messages would make each another.
    const message = msg.replaceAll(/"[^"]*"/g, '"…"')
    return level === 'warn' || level === 'error' || level === 'fatal' ? { level, message } : { message }
  } catch {
    return { level: 'raw', message: line.slice(0, 200) }
  }
}
