/** Who asks: reads the Authorization header, knows what each token may do, and mints tokens for one app. */
import { createHash } from 'node:crypto'
import { z } from 'zod'
import type { Clock } from '../../../system/clock.ts'
import { randomHex, type Entropy } from '../../../system/entropy.ts'
import type { EmulatedApp } from './model.ts'
import type { EmulatorRecords } from './records.ts'

/** What a token may do; what is absent is not limited. */
export type Grant = {
  readonly token: string
  readonly orgSlug?: string
  readonly apps?: readonly string[]
  readonly readOnly?: boolean
  readonly expiresAtMs?: number
}

/** Who asks, by the token that was shown. */
export type Caller = Omit<Grant, 'token' | 'expiresAtMs'> & {
  readonly tokenId: string
  /** The machine from whose inside it asks. */
  readonly machine?: string
}

/** The tokens of an emulator. */
export interface TokenDesk {
  /** Who asks; undefined where the header is no good: absent, of mixed schemes, unknown, expired. */
  callerOf(header: string | null): Caller | undefined
  /** A token for one app, as the API gives it: with its scheme. */
  mint(app: Pick<EmulatedApp, 'id' | 'name' | 'orgSlug'>, expiresAtMs: number): string
}

/** What tokens need. `given` absent accepts any token, but not none. */
export type TokenPorts = {
  readonly given: readonly (string | Grant)[] | undefined
  readonly records: EmulatorRecords
  readonly clock: Clock
  readonly entropy: Entropy
}

/** Tokens in one header. */
const TOKENS_MAX = 20

const mintedSchema = z.object({ app: z.string(), appId: z.string(), orgSlug: z.string(), expiresAtMs: z.number() })

/** The tokens that were given, and those that the file holds. */
export function createTokenDesk({ given, records, clock, entropy }: TokenPorts): TokenDesk {
  const grants = new Map(
    given?.map((grant) => (typeof grant === 'string' ? [grant, { token: grant }] : [grant.token, grant])),
  )
  const callerFor = (token: string): Caller | undefined => {
    const minted = mintedSchema.safeParse(records.notes.get(noteKey(token))).data
    const tokenId = digestOf(token).slice(0, 12)
    if (minted)
      return isOver(minted, records, clock.now()) ? undefined : { tokenId, orgSlug: minted.orgSlug, apps: [minted.app] }
    // A macaroon that nobody minted here, or that was minted and is gone, is one of the tokens that a test may invent.
    const grant: Grant | undefined = given === undefined ? { token } : grants.get(token)
    if (!grant || (grant.expiresAtMs ?? Infinity) <= clock.now()) return undefined
    const { token: _, expiresAtMs: __, ...limits } = grant
    return { tokenId, ...limits }
  }
  return {
    callerOf: (header) => {
      const tokens = tokensOf(header)
      for (const token of tokens) {
        const caller = callerFor(token)
        if (caller) return caller
      }
      return undefined
    },
    mint: (app, expiresAtMs) => {
      const token = `fm2_${Buffer.from(randomHex(entropy, 24)).toString('base64url')}`
      forgetOver(records, clock.now())
      records.putNote(noteKey(token), { app: app.name, appId: app.id, orgSlug: app.orgSlug, expiresAtMs })
      return `FlyV1 ${token}`
    },
  }
}

/** A token ends with its time, and with its app: another app of the same name is another one. */
const isOver = (minted: z.infer<typeof mintedSchema>, records: EmulatorRecords, nowMs: number): boolean =>
  minted.expiresAtMs <= nowMs || records.apps.get(minted.app)?.id !== minted.appId

function forgetOver(records: EmulatorRecords, nowMs: number): void {
  for (const [key, note] of records.notes) {
    const minted = key.startsWith(NOTE) ? mintedSchema.safeParse(note).data : undefined
    if (minted && isOver(minted, records, nowMs)) records.removeNote(key)
  }
}

const NOTE = 'token '

const digestOf = (token: string): string => createHash('sha256').update(token).digest('hex')

/** Only the digest is kept: who reads the file cannot use it. */
const noteKey = (token: string): string => `${NOTE}${digestOf(token)}`

/** The tokens of a header: macaroons under either scheme, comma-joined; all else alone under Bearer. */
function tokensOf(header: string | null): readonly string[] {
  const found = /^(Bearer|FlyV1) ([^\s]+)$/.exec(header ?? '')
  const tokens = found?.[2]?.split(',').slice(0, TOKENS_MAX) ?? []
  const macaroons = tokens.filter((token) => /^fm\d[a-z]?_/.test(token))
  return tokens.length > 1 && macaroons.length !== tokens.length ? [] : tokens
}
