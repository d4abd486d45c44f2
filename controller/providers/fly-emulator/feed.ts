/** Pure: pages of the organization's feed, with the oddities that the live one is known for, as data. */
import { z } from 'zod'

const share = z.number().min(0).max(0.9)

/** How odd the feed is; all of it is drawn from the seed. */
export const feedOdditiesSchema = z.strictObject({
  /** The share of pages that are shorter than they might be. */
  shortPages: share.default(0),
  /** The share of pages that are empty though more follows. */
  emptyPages: share.default(0),
  /** The share of pages whose rows are out of order. */
  shuffledPages: share.default(0),
  /** Regions whose rows are missing, and are told in error_regions. */
  errorRegions: z.array(z.string().max(64)).max(100).default([]),
})
/** How odd the feed is. */
export type FeedOddities = z.infer<typeof feedOdditiesSchema>

/** A row and where it stands: time, then id. */
export type FeedRow<T> = { readonly key: string; readonly region: string; readonly row: T }

/** A page; `cursor` is "" after the last. */
export type FeedPage<T> = { readonly rows: readonly FeedRow<T>[]; readonly cursor: string }

/** Where a machine stands in the feed. */
export const feedKey = (updatedAtMs: number, id: string): string => `${String(updatedAtMs).padStart(15, '0')}|${id}`

/** One page of the rows after the cursor. */
export function feedPage<T>(
  all: readonly FeedRow<T>[],
  ask: { readonly cursor: string; readonly limit: number },
  odd: { readonly oddities: FeedOddities; readonly draw: () => number },
): FeedPage<T> {
  const { oddities, draw } = odd
  const happens = (chance: number): boolean => chance > 0 && draw() < chance
  const rest = all
    .filter((row) => row.key > ask.cursor && !oddities.errorRegions.includes(row.region))
    .sort((a, b) => (a.key < b.key ? -1 : 1))
  if (rest.length > 0 && happens(oddities.emptyPages)) return { rows: [], cursor: ask.cursor || START }
  const size = happens(oddities.shortPages) ? Math.ceil(Math.min(ask.limit, rest.length) * draw()) || 1 : ask.limit
  const rows = rest.slice(0, size)
  const cursor = rest.length > rows.length ? (rows.at(-1)?.key ?? '') : ''
  return { rows: happens(oddities.shuffledPages) ? shuffled(rows, draw) : rows, cursor }
}

/** Before every row: what an empty first page is continued with. */
const START = '0'

function shuffled<T>(rows: readonly T[], draw: () => number): T[] {
  const keyed = rows.map((row) => ({ row, at: draw() }))
  return keyed.sort((a, b) => a.at - b.at).map(({ row }) => row)
}
