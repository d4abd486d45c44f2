/** Remembers the answers of a pure function of a text, for as many texts as are in use. Pure. */

/**
 * The same function, which computes each of the last `size` texts once. It keeps two generations: when the younger is
 * full, the older is forgotten, so that what is asked for often stays.
 */
export function memoized<T>(compute: (text: string) => T, size: number): (text: string) => T {
  let young = new Map<string, T>()
  let old = new Map<string, T>()
  return (text) => {
    const known = young.get(text)
    if (known !== undefined) return known
    const value = old.get(text) ?? compute(text)
    if (young.size >= size) [old, young] = [young, new Map<string, T>()]
    young.set(text, value)
    return value
  }
}
