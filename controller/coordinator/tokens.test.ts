/** Tests of sprite tokens: only what was minted verifies, and only as what it was minted for. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { mintToken, verifyToken } from './tokens.ts'

const MASTER = Buffer.alloc(32, 7)
const identity = { tenant: 'acme', sprite: 'copywriter', uid: 'd3b07384-d9a0', incarnation: 3 }

describe('sprite tokens', () => {
  it('CO1 a minted token gives its identity back, and is the same each time', () => {
    fc.assert(
      fc.property(
        fc.record({
          tenant: fc.string({ minLength: 1, maxLength: 40 }),
          sprite: fc.string({ minLength: 1, maxLength: 40 }),
          uid: fc.uuid(),
          incarnation: fc.integer({ min: 1 }),
        }),
        (one) => {
          const token = mintToken(MASTER, one)
          expect(verifyToken(MASTER, token)).toEqual(one)
          expect(mintToken(MASTER, one)).toBe(token)
        },
      ),
    )
  })

  it('CO1 any changed character is refused', () => {
    const token = mintToken(MASTER, identity)
    // The last character holds two unused bits, so that a change there may not change the bytes.
    for (let at = 0; at < token.length - 1; at++) {
      const changed = token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1)
      expect(verifyToken(MASTER, changed)).toBeUndefined()
    }
  })

  it('CO1 another master key, another payload under the same mac, and rubbish are refused', () => {
    const token = mintToken(MASTER, identity)
    expect(verifyToken(Buffer.alloc(32, 8), token)).toBeUndefined()
    const forged = Buffer.from(JSON.stringify({ ...identity, incarnation: 4 })).toString('base64url')
    expect(verifyToken(MASTER, `spr1_${forged}_${token.slice(-43)}`)).toBeUndefined()
    for (const rubbish of [
      '',
      'spr1_',
      'spr1__',
      `spr1_${'A'.repeat(2_000)}`,
      'spr1_e30_',
      `spr1_e30_${'A'.repeat(43)}`,
    ])
      expect(verifyToken(MASTER, rubbish)).toBeUndefined()
  })
})
