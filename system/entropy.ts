/** Randomness as a port: ids, secrets and jitter come from an Entropy, so that a run can be repeated from its seed. */
import { randomBytes, randomUUID } from 'node:crypto'

/** The port of randomness. */
export interface Entropy {
  /** A version 4 UUID, lower case. */
  uuid(): string
  /** `sizeBytes` unpredictable bytes. */
  bytes(sizeBytes: number): Uint8Array
  /** A number in [0, 1), for jitter and shuffling only. */
  random(): number
}

/** The operating system's randomness. */
export const realEntropy: Entropy = {
  uuid: () => randomUUID(),
  bytes: (sizeBytes) => randomBytes(sizeBytes),
  random: () => Math.random(),
}

/** Lower-case hex of n random bytes. */
export const randomHex = (entropy: Entropy, sizeBytes: number): string =>
  Buffer.from(entropy.bytes(sizeBytes)).toString('hex')

/** A repeatable Entropy (mulberry32): the same seed gives the same run. For tests and simulations only. */
export function seededEntropy(seed: number): Entropy {
  let state = seed >>> 0
  const random = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  const bytes = (sizeBytes: number): Uint8Array => Uint8Array.from({ length: sizeBytes }, () => random() * 256)
  const uuid = (): string => {
    const b = bytes(16)
    b[6] = ((b[6] ?? 0) & 0x0f) | 0x40
    b[8] = ((b[8] ?? 0) & 0x3f) | 0x80
    const hex = Buffer.from(b).toString('hex')
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
  }
  return { uuid, bytes, random }
}
