/** The emulator's issuer of machine identities: signs tokens, and tells its keys as discovery wants them. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import { z } from 'zod'
import type { Clock } from '../../../system/clock.ts'
import type { Entropy } from '../../../system/entropy.ts'
import type { EmulatedApp, EmulatedMachine } from './model.ts'
import type { EmulatorRecords } from './records.ts'
import { answer, refusalAnswer, type Answer } from './wire.ts'

/** Tells who a machine is, in tokens that others can check. */
export interface MachineIssuer {
  /** A JWT of this machine; `audience` absent is the organization's own. */
  token(machine: EmulatedMachine, app: EmulatedApp, audience: string | undefined): string
  /** The discovery document of an organization's issuer. */
  discovery(orgSlug: string): object
  /** The set of keys. */
  keys(): object
}

/** What the issuer needs; `baseUrl` gives the URL that stands before the organization. */
export type IssuerPorts = {
  readonly baseUrl: () => string
  readonly records: EmulatorRecords
  readonly clock: Clock
  readonly entropy: Entropy
}

const TOKEN_SECONDS = 600
const NOTE = 'oidc key'
const noteSchema = z.object({ kid: z.string(), pem: z.string() })

/** An issuer with one key, which is made when it is first asked for and kept in the file. */
export function createMachineIssuer({ baseUrl, records, clock, entropy }: IssuerPorts): MachineIssuer {
  let key: { readonly kid: string; readonly privateKey: KeyObject } | undefined
  const ownKey = (): NonNullable<typeof key> => {
    const stored = noteSchema.safeParse(records.notes.get(NOTE)).data
    key ??= stored ? { kid: stored.kid, privateKey: createPrivateKey(stored.pem) } : makeKey(records, entropy.uuid())
    return key
  }
  const issuerOf = (org: string): string => `${baseUrl()}/${encodeURIComponent(org)}`
  return {
    token: (machine, app, audience) => {
      const issuedAt = Math.floor(clock.now() / 1_000)
      const claims = {
        iss: issuerOf(app.orgSlug),
        sub: `${app.orgSlug}:${app.name}:${machine.name}`,
        aud: audience ?? `https://fly.io/${app.orgSlug}`,
        iat: issuedAt,
        nbf: issuedAt,
        exp: issuedAt + TOKEN_SECONDS,
        jti: entropy.uuid(),
        app_id: app.id,
        app_name: app.name,
        image: machine.config.image,
        image_digest: machine.digest,
        machine_id: machine.id,
        machine_name: machine.name,
        machine_version: machine.instanceId,
        org_name: app.orgSlug,
        region: machine.region,
      }
      return signed(ownKey(), claims)
    },
    discovery: (org) => ({
      issuer: issuerOf(org),
      jwks_uri: `${issuerOf(org)}/.well-known/jwks`,
      response_types_supported: ['id_token'],
      response_modes_supported: ['query'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['RS256'],
      claims_supported: [
        'aud',
        'exp',
        'iat',
        'iss',
        'jti',
        'nbf',
        'sub',
        'app_name',
        'image',
        'image_digest',
        'machine_id',
        'machine_name',
        'machine_version',
        'org_name',
        'region',
      ],
    }),
    keys: () => {
      const { kid, privateKey } = ownKey()
      return { keys: [{ ...createPublicKey(privateKey).export({ format: 'jwk' }), kid, alg: 'RS256', use: 'sig' }] }
    },
  }
}

function makeKey(records: EmulatorRecords, kid: string): { readonly kid: string; readonly privateKey: KeyObject } {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 })
  records.putNote(NOTE, { kid, pem: privateKey.export({ type: 'pkcs8', format: 'pem' }) })
  return { kid, privateKey }
}

function signed(key: { readonly kid: string; readonly privateKey: KeyObject }, claims: object): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const text = `${part({ alg: 'RS256', kid: key.kid, typ: 'JWT' })}.${part(claims)}`
  return `${text}.${sign('RSA-SHA256', Buffer.from(text), key.privateKey).toString('base64url')}`
}

/** What the issuer answers under /oidc: a document of discovery, or its keys. */
export function issuerAnswer(issuer: MachineIssuer, path: string): Answer {
  const found = /^\/oidc\/([a-z0-9-]{1,64})\/\.well-known\/(openid-configuration|jwks)$/.exec(path)
  const [, org = '', document] = found ?? []
  if (document === undefined) return refusalAnswer(404, 'not_found')
  return answer(document === 'jwks' ? issuer.keys() : issuer.discovery(org))
}
