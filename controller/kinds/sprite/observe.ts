/** Gathers what one decision about a sprite looks at; reads only. */
import type { Key } from '../../api/object.ts'
import type { Presence } from '../../bus/presence.ts'
import type { Client } from '../../client/client.ts'
import type { Cache } from '../../engine/types.ts'
import { ProviderError, type Machine, type MachineList, type MachineProvider } from '../../providers/machines.ts'
import type { Clock } from '../../../system/clock.ts'
import type { Entropy } from '../../../system/entropy.ts'
import { timestamp } from '../../../system/timestamp.ts'
import { projectKind } from '../project/schema.ts'
import { SLOT_LEDGER_NAME, slotLedgerKind } from '../slotledger/schema.ts'
import { tenantKind } from '../tenant/schema.ts'
import { workKind, type Work } from '../work/schema.ts'
import { withoutTimesAhead } from './clock-ahead.ts'
import { machineConfig, type MachineDefaults } from './machine-spec.ts'
import { spriteKind, type Sprite, type SpriteMachine } from './schema.ts'
import type { Observation, SlotView, SpriteDeadlines, SpriteWorld } from './world.ts'

/** The last picture of a tenant's machines, kept by the machine feed. */
export type MachineFeed = {
  read(tenant: string): MachinePicture | undefined
  /** Somebody waits for a complete list of the tenant: it is to come soon. */
  follow?(tenant: string): void
}

/** `seenAtMs`: when the last complete look began that it stands on; where absent, `atMs`. */
type MachinePicture = MachineList & { readonly atMs: number; readonly seenAtMs?: number }

/** What observing a sprite needs of the process. */
export type SpriteReadPorts = {
  readonly client: Client
  readonly cache: Cache
  readonly clock: Clock
  readonly entropy: Entropy
  readonly provider: MachineProvider
  readonly feed: MachineFeed
  readonly presence: Presence
  readonly defaults: MachineDefaults
  readonly deadlines: SpriteDeadlines
  readonly controlPlaneId: string
  /** Whether an agent type has a persona: built in, or the tenant's own. */
  readonly personaExists: (tenant: string, agentType: string) => boolean
  /** Who has frozen the tenant's machines, in words; undefined when nobody has. */
  readonly frozenBy?: (tenant: string) => string | undefined
}

/** The world of one sprite; undefined when the sprite is gone. */
export async function observeSprite(
  ports: SpriteReadPorts,
  key: Key,
  signal: AbortSignal,
): Promise<SpriteWorld | undefined> {
  const stored = ports.cache.get(spriteKind, key)
  if (stored === undefined) return undefined
  const sprite = withoutTimesAhead(stored, ports.clock.now())
  const tenant = ports.cache.get(tenantKind, { namespace: '', name: key.namespace })
  const work = ports.cache.list(workKind, key.namespace).filter((one) => one.status?.assignedSprite === key.name)
  const slot = slotOf(ports.cache, sprite)
  const observation = await observeMachine(ports, sprite, { signal, isSlotHeld: slot.holder !== undefined })
  const limits = tenant?.status?.limits
  const nowMs = ports.clock.now()
  const frozenBy = ports.frozenBy?.(key.namespace)
  return {
    ...(frozenBy === undefined ? {} : { frozenBy }),
    nowMs,
    now: timestamp(nowMs),
    sprite,
    ...(sprite === stored ? {} : { storedStatus: stored.status }),
    tenant,
    project:
      sprite.spec.project === undefined
        ? undefined
        : ports.cache.get(projectKind, { namespace: key.namespace, name: sprite.spec.project }),
    personaExists: ports.personaExists(key.namespace, sprite.spec.agentType),
    slot,
    assignedWork: work.filter((one) => one.status?.phase === 'Assigned' || one.status?.phase === 'InProgress').length,
    currentWork: currentWork(sprite, work),
    observation,
    presence: ports.presence.read(key.namespace, key.name),
    listeningSinceMs: ports.presence.listeningSinceMs,
    config: limits === undefined ? undefined : machineConfig(sprite, limits, ports.defaults),
    deadlines: ports.deadlines,
    tokensUsed: tokensUsed(sprite, work),
    random: ports.entropy.random(),
  }
}

function currentWork(sprite: Sprite, work: readonly Work[]): SpriteWorld['currentWork'] {
  const incarnation = sprite.status?.machine?.incarnation
  const current = work.find((one) => one.status?.phase === 'InProgress' && one.status.incarnation === incarnation)
  return current === undefined ? undefined : { name: current.metadata.name, project: current.spec.project }
}

/** Never falls: finished work may be removed after its time. */
function tokensUsed(sprite: Sprite, work: readonly Work[]): number {
  const sum = work
    .filter((one) => one.status?.completionTime !== undefined)
    .reduce((total, one) => total + (one.status?.tokensTotal ?? 0), 0)
  return Math.max(sprite.status?.tokensUsed ?? 0, sum)
}

function slotOf(cache: Cache, sprite: Sprite): SlotView {
  const ledger = cache.get(slotLedgerKind, { namespace: sprite.metadata.namespace ?? '', name: SLOT_LEDGER_NAME })
  const holders = ledger?.status?.holders ?? []
  const position = (ledger?.status?.queue ?? []).findIndex((waiter) => waiter.uid === sprite.metadata.uid)
  return {
    holder: holders.find((holder) => holder.uid === sprite.metadata.uid),
    position: position < 0 ? undefined : position + 1,
    limit: ledger?.status?.limit ?? null,
    holders: holders.map((holder) => holder.sprite).sort(),
  }
}

type MachineQuestion = { readonly signal: AbortSignal; readonly isSlotHeld: boolean }

/** A GET by id while the machine is in transition; the feed's picture while it is as it should be. */
async function observeMachine(ports: SpriteReadPorts, sprite: Sprite, question: MachineQuestion): Promise<Observation> {
  const machine = sprite.status?.machine
  const tenant = sprite.metadata.namespace ?? ''
  if (machine === undefined) return { seen: 'none' }
  const picture = ports.feed.read(tenant)
  if (machine.id === undefined) {
    ports.feed.follow?.(tenant)
    return unanswered(ports, sprite, picture)
  }
  const known = picture?.machines.find((one) => one.id === machine.id)
  if (known !== undefined && isSteady(machine, known, question.isSlotHeld) && !isSilent(ports, sprite, machine))
    return { seen: 'present', machine: known, isFresh: false }
  try {
    const fresh = await ports.provider.get({ tenant, id: machine.id }, question.signal)
    return fresh === undefined ? absence(ports, sprite, machine.id) : { seen: 'present', machine: fresh, isFresh: true }
  } catch (error) {
    if (!(error instanceof ProviderError)) throw error
    return { seen: 'unknown', reason: error.reason, message: error.message }
  }
}

/** What the feed says to it; a tenant whose picture does not agree in time is listed by itself. */
function absence({ feed, clock, deadlines }: SpriteReadPorts, sprite: Sprite, id: string): Observation {
  const tenant = sprite.metadata.namespace ?? ''
  const picture = feed.read(tenant)
  const sinceMs = Date.parse(sprite.status?.machine?.absentSince ?? '')
  const isLive = picture?.machines.some((one) => one.id === id && one.state !== 'destroyed') === true
  const atMs = picture?.seenAtMs ?? picture?.atMs ?? 0
  const isAgreed = picture?.complete === true && !isLive && atMs >= sinceMs + deadlines.confirmMs
  if (!isAgreed && clock.now() - sinceMs >= 2 * deadlines.confirmMs) feed.follow?.(tenant)
  return { seen: 'absent', ...(picture?.complete === true ? { listed: { atMs, isLive } } : {}) }
}

/** It should report and has not: the feed may not know that its host is lost. */
function isSilent({ presence, clock, deadlines }: SpriteReadPorts, sprite: Sprite, machine: SpriteMachine): boolean {
  if (machine.intent !== 'Run' || machine.readyTime === undefined) return false
  const seen = presence.read(sprite.metadata.namespace ?? '', sprite.metadata.name)
  const seenAtMs = seen?.incarnation === machine.incarnation ? seen.lastSeenAtMs : 0
  const sinceMs = Math.max(seenAtMs, Date.parse(machine.readyTime), presence.listeningSinceMs)
  return clock.now() - sinceMs >= deadlines.heartbeatLostMs
}

/** Up and ready, or stopped, kept and without a slot: nothing about it is about to change. */
function isSteady(machine: SpriteMachine, known: Machine, isSlotHeld: boolean): boolean {
  if (machine.absentSince !== undefined) return false
  const isUp = machine.intent === 'Run' && machine.readyTime !== undefined && known.state === 'started'
  const isKept = machine.intent === 'Stop' && known.state === 'stopped' && !isSlotHeld
  return known.hostReachable && (isUp || isKept)
}

function unanswered(ports: SpriteReadPorts, sprite: Sprite, picture: ReturnType<MachineFeed['read']>): Observation {
  const machine = sprite.status?.machine
  const found = picture?.machines.find(
    (one) =>
      one.name === machine?.name &&
      one.owner?.controlPlane === ports.controlPlaneId &&
      one.owner.spriteUid === sprite.metadata.uid &&
      one.owner.incarnation === machine.incarnation,
  )
  return {
    seen: 'unanswered',
    ...(found === undefined ? {} : { found }),
    ...(picture?.complete === true ? { lookedAtMs: picture.atMs } : {}),
  }
}
