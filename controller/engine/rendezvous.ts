/** Pure: which shard a tenant falls into, and which of the members a shard would best be with (rendezvous hashing). */

/** Shards of a control plane: the same for all of its processes and for good, since two numbers would mean two owners. */
export const SHARD_COUNT = 32

/** The shard of a tenant, by a hash that never changes; what belongs to no tenant ('') is in shard 0. */
export const shardOf = (tenant: string, shardCount: number): number => (tenant === '' ? 0 : hash(tenant) % shardCount)

/** The slot of the member that the shard would best be with; undefined when there is none. One that comes or goes moves only its own shards. */
export function preferredSlot(shard: number, slots: readonly number[]): number | undefined {
  let best: { readonly slot: number; readonly score: number } | undefined
  for (const slot of slots) {
    const score = hash(`${slot}/${shard}`)
    if (best === undefined || score > best.score || (score === best.score && slot < best.slot)) best = { slot, score }
  }
  return best?.slot
}

/** FNV-1a over UTF-16 code units, then murmur3's finalizer: names that differ in one character land far apart. */
function hash(text: string): number {
  let value = 0x811c9dc5
  for (let index = 0; index < text.length; index++) value = Math.imul(value ^ text.charCodeAt(index), 0x01000193)
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35)
  return (value ^ (value >>> 16)) >>> 0
}
