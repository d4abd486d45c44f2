/** Pure: durations as Go writes them. */

/** Ms of a Go duration such as "10s", "1m30s" or "500ms"; undefined for what is not one. */
export function durationMs(text: string): number | undefined {
  if (!/^(?:\d+(?:\.\d+)?(?:ms|s|m|h))+$/.test(text)) return undefined
  const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }
  let totalMs = 0
  for (const [, count, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g))
    totalMs += Number(count) * (unitMs[unit ?? ''] ?? 0)
  return Math.round(totalMs)
}
