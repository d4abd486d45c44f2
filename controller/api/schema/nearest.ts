/** Finds the known name that a misspelt one probably meant, by edit distance. Pure. */

/** Names longer than this are not compared: no field of ours is. */
const CHARS_MAX = 64

/**
 * The candidate nearest to a name, when it is near enough to be meant: at most a third of its letters differ, and at
 * least one edit is always allowed. The first of equals wins.
 */
export function nearestName(name: string, candidates: Iterable<string>): string | undefined {
  if (name.length > CHARS_MAX) return undefined
  let best: { readonly name: string; readonly distance: number } | undefined
  for (const candidate of candidates) {
    if (candidate.length > CHARS_MAX) continue
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase())
    const allowed = Math.max(1, Math.floor(Math.max(name.length, candidate.length) / 3))
    if (distance <= allowed && (best === undefined || distance < best.distance)) best = { name: candidate, distance }
  }
  return best?.name
}

/** How many letters must be put in, taken out, replaced or swapped with the next to turn one text into the other. */
export function editDistance(from: string, to: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (let row = 1; row <= from.length; row += 1) {
    const current = [row]
    for (let column = 1; column <= to.length; column += 1) {
      const isSame = from[row - 1] === to[column - 1]
      const replaced = at(last, column - 1) + (isSame ? 0 : 1)
      const least = Math.min(replaced, at(last, column) + 1, at(current, column - 1) + 1)
      const isSwap = row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1]
      current.push(isSwap ? Math.min(least, at(beforeLast, column - 2) + 1) : least)
    }
    beforeLast = last
    last = current
  }
  return at(last, to.length)
}

const at = (row: readonly number[], column: number): number => row[column] ?? 0
