/** What the Coordinator needs from outside: its ports and settings. Types only. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Persona } from '../../protocol/persona.ts'
import type { Clock } from '../../system/clock.ts'
import type { Entropy } from '../../system/entropy.ts'
import type { Log } from '../../system/log.ts'
import type { Metrics } from '../../system/metrics.ts'
import type { Bus } from '../bus/bus.ts'
import type { Presence } from '../bus/presence.ts'
import type { SpriteUsers } from '../bus/sprite-users.ts'
import type { Client } from '../client/client.ts'
import type { Cache, Recorder } from '../engine/types.ts'
import type { Sprite } from '../kinds/sprite/schema.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { OwnUpstream } from './gateway/tenant-key.ts'
import type { ModelUpstream } from './gateway/upstream.ts'
import type { SpriteIdentity } from './tokens.ts'

/** Times and bounds of the Coordinator. */
export type CoordinatorSettings = {
  /** Asked for when a persona names no model. */
  readonly defaultModel: string
  /** The models that may be asked for, beside defaultModel and those of built-in personas. */
  readonly models: readonly string[]
  /** What sprites are told at announce, in ms. */
  readonly heartbeatIntervalMs: number
  readonly lostAfterMs: number
  /** What a sprite says of its progress is written at most once in so long, in ms: it is a hint, and writes cost. */
  readonly progressIntervalMs: number
  /** A call to the model is given up after so long, in ms; its reservation expires a minute later. */
  readonly upstreamTimeoutMs: number
  /** Calls to the model at once: of one sprite, and of all. */
  readonly callsPerSpriteMax: number
  readonly callsMax: number
}

/** Settings that serve the embedded default. */
export const DEFAULT_SETTINGS: CoordinatorSettings = {
  defaultModel: 'claude-sonnet-5-5',
  models: ['claude-opus-5-5', 'claude-sonnet-5-5', 'claude-haiku-5-5'],
  heartbeatIntervalMs: 10_000,
  lostAfterMs: 120_000,
  progressIntervalMs: 2_000,
  upstreamTimeoutMs: 540_000,
  callsPerSpriteMax: 2,
  callsMax: 512,
}

/** Where each write is billed: a sprite that works all month would write 1,800 times an hour. */
export const SHARED_PROGRESS_INTERVAL_MS = 15_000

/** What the Coordinator needs of the process. */
export type CoordinatorPorts = {
  readonly client: Client
  /** Reads of tenants, projects and personas go here when there is one. */
  readonly cache?: Cache
  readonly bus: Bus
  /** With it, sprites may listen to the bus themselves. */
  readonly spriteUsers?: SpriteUsers
  readonly ledger: Ledger
  readonly presence?: Presence
  readonly recorder?: Recorder
  readonly clock: Clock
  readonly entropy: Entropy
  readonly log: Log
  readonly metrics: Metrics
  readonly masterKey: Uint8Array
  /** The built-in persona of an agent type. */
  readonly personas: (agentType: string) => Persona | undefined
  readonly upstream: ModelUpstream
  /** The model for tenants that bring a key of their own; without it, they are refused. */
  readonly ownUpstream?: OwnUpstream
  readonly settings: CoordinatorSettings
}

/** Who calls: proven by the token, and the current incarnation of a sprite that exists. */
export type Caller = { readonly identity: SpriteIdentity; readonly sprite: Sprite }

/** One request of a sprite; `signal` is aborted when the client goes away or the Coordinator closes. */
export type SpriteRequest = {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly caller: Caller
  readonly signal: AbortSignal
}

/** One route of the sprite API; its caller is known and current. */
export type SpriteRoute = (call: SpriteRequest) => Promise<void>
