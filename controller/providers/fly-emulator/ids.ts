/** Pure: ids in the shapes that Fly gives them. */

const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

const hexOf = (bytes: Uint8Array): string => [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')

/** A machine id: 14 hex digits of 7 bytes. */
export const machineId = (bytes: Uint8Array): string => hexOf(bytes.subarray(0, 7))

/** A ULID (26 characters) of a time in ms and 16 random bytes. */
export function ulid(atMs: number, bytes: Uint8Array): string {
  let time = ''
  for (let rest = atMs, count = 0; count < 10; count++, rest = Math.floor(rest / 32)) time = digit(rest) + time
  return time + [...bytes.subarray(0, 16)].map(digit).join('')
}

/** A private IPv6 address as Fly's 6PN gives them, of 8 bytes. */
export function privateIp(bytes: Uint8Array): string {
  const hex = hexOf(bytes.subarray(0, 8)).padEnd(16, '0')
  return `fdaa:0:${[0, 4, 8, 12].map((at) => hex.slice(at, at + 4)).join(':')}:0:2`
}

/** An image digest stand-in: the same words give the same digest. Not a hash of content, and not for security. */
export function imageDigest(image: string): string {
  let digest = ''
  for (let part = 0; part < 8; part++) {
    let hash = 0x811c9dc5 ^ part
    for (const char of image) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193) >>> 0
    digest += hash.toString(16).padStart(8, '0')
  }
  return `sha256:${digest}`
}

const digit = (value: number): string => CROCKFORD.charAt(value % 32)
