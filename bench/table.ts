/** Percentiles and the table that a benchmark prints. Pure. */

/** The value below which `share` (0…1) of the samples lie. */
export function percentile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

/** One line of the table that the benchmark prints. */
export type Row = {
  readonly what: string
  readonly ours: string
  readonly divisor: string
  readonly ratio: number
  /** The ratio that is aimed at; `atMost` false: at least. */
  readonly aim?: { readonly ratio: number; readonly atMost: boolean }
}

/** One line a row: figure, what it is divided by, the ratio, and the aim where there is one. */
export function formatRows(rows: readonly Row[]): string {
  const cells = rows.map((row) => [row.what, row.ours, row.divisor, `${row.ratio.toFixed(2)}x`, aimText(row)])
  const all = [['metric', 'ours', 'divided by', 'ratio', 'aim'], ...cells]
  const widths = [0, 1, 2, 3, 4].map((column) => Math.max(...all.map((row) => (row[column] ?? '').length)))
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

function aimText({ ratio, aim }: Row): string {
  if (aim === undefined) return ''
  const isMet = aim.atMost ? ratio <= aim.ratio : ratio >= aim.ratio
  return `${aim.atMost ? '<=' : '>='} ${aim.ratio}x ${isMet ? 'met' : 'missed'}`
}
