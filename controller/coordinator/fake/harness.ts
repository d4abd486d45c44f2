/** A Coordinator on a loopback port over a fake client, with one tenant, for tests. */
import * as http from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Persona } from '../../../protocol/persona.ts'
import { seededEntropy } from '../../../system/entropy.ts'
import { silentLog } from '../../../system/log.ts'
import { createMetrics, type Metrics } from '../../../system/metrics.ts'
import { TestClock } from '../../../system/test-clock.ts'
import type { Bus } from '../../bus/bus.ts'
import type { SpriteUsers } from '../../bus/sprite-users.ts'
import { createMemoryBus } from '../../bus/memory.ts'
import { createFakeClient, type FakeClient } from '../../engine/fake-client.ts'
import type { Cache } from '../../engine/types.ts'
import type { SpriteMachine, SpriteStatus } from '../../kinds/sprite/schema.ts'
import { workKind, type Work, type WorkSpec, type WorkStatus } from '../../kinds/work/schema.ts'
import type { Ledger } from '../../ledger/ledger.ts'
import { createMemoryLedger } from '../../ledger/memory.ts'
import { createCoordinator, type Coordinator } from '../coordinator.ts'
import type { OwnUpstream } from '../gateway/tenant-key.ts'
import type { ModelUpstream } from '../gateway/upstream.ts'
import { rehearsalUpstream } from '../gateway/rehearsal.ts'
import { DEFAULT_SETTINGS, type CoordinatorSettings } from '../ports.ts'
import { mintToken } from '../tokens.ts'

export const MASTER_KEY = Buffer.alloc(32, 1)
export const TENANT = 'acme'

/** A built-in persona of a test. */
export const personaOf = (name: string, overrides: Partial<Persona> = {}): Persona => ({
  name,
  description: `Does the work of a ${name}.`,
  effort: 'medium',
  maxTokens: 4_096,
  tools: ['deliver', 'hand_off', 'request_review', 'report_blocked'],
  mayHandOffTo: [],
  prompt: `You are the ${name}.`,
  ...overrides,
})

const PERSONAS = new Map(
  [
    personaOf('copywriter', { mayHandOffTo: ['editor', 'director', 'analyst'] }),
    personaOf('editor'),
    personaOf('director', { mayHandOffTo: ['copywriter'] }),
  ].map((persona) => [persona.name, persona]),
)

export type RecordedEvent = { readonly kind: string; readonly name: string; readonly reason: string }

export type Reply = { readonly status: number; readonly headers: http.IncomingHttpHeaders; readonly body: unknown }

export type Harness = {
  readonly clock: TestClock
  readonly client: FakeClient
  readonly bus: Bus
  readonly ledger: Ledger
  readonly metrics: Metrics
  readonly events: RecordedEvent[]
  readonly coordinator: Coordinator
  readonly url: string
  /** The token of a seeded sprite, or of another incarnation of it. */
  token(sprite?: string, incarnation?: number): string
  seedSprite(name: string, options?: { agentType?: string; status?: Partial<SpriteStatus>; deleting?: boolean }): void
  seedTenant(options?: { spec?: object; limits?: object }): void
  seedWork(name: string, options?: { spec?: Partial<WorkSpec>; status?: Partial<WorkStatus> }): Work
  work(name: string): Work
  /** Sends JSON as the sprite; `method` defaults to POST. */
  send(path: string, body?: unknown, options?: SendOptions): Promise<Reply>
  close(): Promise<void>
}

export type SendOptions = { method?: string; token?: string; headers?: Record<string, string>; raw?: string }

export type HarnessOptions = {
  readonly upstream?: ModelUpstream
  readonly ownUpstream?: OwnUpstream
  /** What stands before the ledger in memory. */
  readonly ledger?: (inner: Ledger) => Ledger
  readonly settings?: Partial<CoordinatorSettings>
  readonly spriteUsers?: SpriteUsers
  /** In place of the one in memory; closed with the harness. */
  readonly bus?: Bus
  /** What an informer would have. */
  readonly cache?: Cache
}

/** Starts one; the tenant `acme` and its sprite `cara` (copywriter, incarnation 2) are there. */
export async function startHarness(options: HarnessOptions = {}): Promise<Harness> {
  const clock = new TestClock()
  const client = createFakeClient({ clock })
  const bus = options.bus ?? createMemoryBus()
  const memory = createMemoryLedger({ clock })
  const ledger = options.ledger?.(memory) ?? memory
  const metrics = createMetrics()
  const events: RecordedEvent[] = []
  const coordinator = createCoordinator({
    client,
    bus,
    ledger,
    clock,
    metrics,
    entropy: seededEntropy(1),
    log: silentLog,
    masterKey: MASTER_KEY,
    personas: (agentType) => PERSONAS.get(agentType),
    upstream: options.upstream ?? rehearsalUpstream(),
    ...(options.ownUpstream === undefined ? {} : { ownUpstream: options.ownUpstream }),
    ...(options.spriteUsers === undefined ? {} : { spriteUsers: options.spriteUsers }),
    ...(options.cache === undefined ? {} : { cache: options.cache }),
    settings: { ...DEFAULT_SETTINGS, defaultModel: 'claude-test', models: ['claude-other'], ...options.settings },
    recorder: {
      event: (object, _type, reason) => events.push({ kind: object.kind, name: object.metadata.name, reason }),
    },
  })
  const { url, close } = await listen(coordinator)
  const seeds = seedsOver(client)
  seeds.seedTenant()
  seeds.seedSprite('cara')
  const token = (sprite = 'cara', incarnation = 2): string =>
    mintToken(MASTER_KEY, { tenant: TENANT, sprite, uid: `uid-${sprite}`, incarnation })
  return {
    clock,
    client,
    bus,
    ledger,
    metrics,
    events,
    coordinator,
    url,
    token,
    ...seeds,
    send: (path, body = {}, send = {}) => sendTo(url + path, body, { token: token(), ...send }),
    close: async () => {
      await coordinator.close()
      await close()
      await bus.close()
    },
  }
}

async function listen(coordinator: Coordinator): Promise<{ url: string; close: () => Promise<void> }> {
  const server = http.createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost')
    void coordinator.route(request, response, url).then((isOurs) => {
      if (!isOurs) response.writeHead(404).end()
    })
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  // A TCP server's address is an object.
  const { port } = server.address() as AddressInfo
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  return { url: `http://127.0.0.1:${port}`, close }
}

/** The machine of incarnation 2, up and ready. */
export const machineUp = (name: string, over: Partial<SpriteMachine> = {}): SpriteMachine => ({
  name,
  incarnation: 2,
  image: 'sprite:1',
  specHash: 'h1',
  since: '2026-01-15T11:00:00Z',
  intent: 'Run',
  state: 'started',
  readyTime: '2026-01-15T11:00:00Z',
  ...over,
})

function seedsOver(client: FakeClient): Pick<Harness, 'seedSprite' | 'seedTenant' | 'seedWork' | 'work'> {
  const work = (name: string): Work => {
    const found = client.peek(workKind, { namespace: TENANT, name })
    if (found === undefined) throw new Error(`No work "${name}"`)
    return found
  }
  return {
    work,
    seedSprite: (name, { agentType = 'copywriter', status = {}, deleting = false } = {}) => {
      client.seed({
        kind: 'Sprite',
        metadata: {
          name,
          namespace: TENANT,
          uid: `uid-${name}`,
          ...(deleting ? { deletionTimestamp: '2026-01-15T11:00:00Z', finalizers: ['x'] } : {}),
        },
        spec: { agentType, runPolicy: 'OnDemand' },
        status: { phase: 'Idle', incarnation: 2, machine: machineUp(`${name}-uid-2`), ...status },
      })
    },
    seedTenant: ({ spec = {}, limits = {} } = {}) => {
      client.seed({
        kind: 'Tenant',
        metadata: { name: TENANT },
        spec: {
          displayName: 'Acme Corp',
          plan: 'growth',
          config: {},
          brand: { voice: 'Dry' },
          suspend: false,
          ...spec,
        },
        status: {
          limits: { spriteIdleTimeoutSeconds: 60, customPersonas: false, monthlyTokens: 1_000_000, ...limits },
        },
      })
    },
    seedWork: (name, { spec = {}, status = {} } = {}) => {
      client.seed({
        kind: 'Work',
        metadata: { name, namespace: TENANT, uid: `uid-${name}` },
        spec: {
          type: 'write_copy',
          description: 'Write it',
          agentType: 'copywriter',
          priority: 0,
          maxAttempts: 3,
          cancelled: false,
          ...spec,
        },
        status: { phase: 'Assigned', assignedSprite: 'cara', ...status },
      })
      return work(name)
    },
  }
}

/** A work in the hands of cara's incarnation 2, at attempt 1. */
export const IN_PROGRESS: Partial<WorkStatus> = {
  phase: 'InProgress',
  assignedSprite: 'cara',
  incarnation: 2,
  attempt: 1,
  attemptsTotal: 1,
  attempts: [{ number: 1, sprite: 'cara', incarnation: 2, startTime: '2026-01-15T12:00:00Z' }],
}

async function sendTo(url: string, body: unknown, options: SendOptions): Promise<Reply> {
  const method = options.method ?? 'POST'
  const response = await fetch(url, {
    method,
    headers: {
      ...(options.token === undefined || options.token === '' ? {} : { authorization: `Bearer ${options.token}` }),
      'content-type': 'application/json',
      ...options.headers,
    },
    ...(method === 'GET' ? {} : { body: options.raw ?? JSON.stringify(body) }),
  })
  const text = await response.text()
  const isJson = response.headers.get('content-type')?.includes('json') === true
  return {
    status: response.status,
    headers: Object.fromEntries(response.headers),
    body: isJson ? (JSON.parse(text) as unknown) : text,
  }
}
