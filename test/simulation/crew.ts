/** What the sprites' processes and the Coordinator do in a simulation: signs of life, and work, one step a second. */
import type { Key } from '../../controller/api/object.ts'
import type { PresenceRecord } from '../../controller/bus/presence.ts'
import type { FakeClient } from '../../controller/engine/fake-client.ts'
import { isOutgoing } from '../../controller/kinds/sprite/outgoing.ts'
import { spriteKind, type Sprite } from '../../controller/kinds/sprite/schema.ts'
import { isTerminal, workKind, type Work } from '../../controller/kinds/work/schema.ts'
import type { OwnerStamp } from '../../controller/providers/machines.ts'
import type { Entropy } from '../../system/entropy.ts'
import type { TestClock } from '../../system/test-clock.ts'
import { timestamp } from '../../system/timestamp.ts'

/** What the processes stand on. */
export type CrewOptions = {
  readonly client: FakeClient
  readonly clock: TestClock
  readonly entropy: Entropy
  /** A sprite is heard that was not heard just before. */
  readonly onHeard: (tenant: string, sprite: string) => void
}

/** The processes of all machines. */
export class Crew {
  /** Signs of life, by `<tenant>/<sprite>`; whoever starts a control plane clears them. */
  readonly presence = new Map<string, PresenceRecord>()
  /** How often each work was completed, by `<tenant>/<work>`. */
  readonly completions = new Map<string, number>()
  /** The share of tasks (0…1) that fail. */
  failWork = 0
  readonly #options: CrewOptions

  constructor(options: CrewOptions) {
    this.#options = options
  }

  /** One second of the process of a machine that is up. */
  async beat(owner: OwnerStamp): Promise<void> {
    const { client, clock, onHeard } = this.#options
    const key: Key = { namespace: owner.tenant, name: owner.sprite }
    const sprite = client.peek(spriteKind, key)
    const isCurrent = sprite?.metadata.uid === owner.spriteUid && sprite.status?.incarnation === owner.incarnation
    if (!isCurrent) return
    const id = `${owner.tenant}/${owner.sprite}`
    const before = this.presence.get(id)
    const nowMs = clock.now()
    const isSame = before?.incarnation === owner.incarnation
    this.presence.set(id, {
      uid: owner.spriteUid,
      incarnation: owner.incarnation,
      lastSeenAtMs: nowMs,
      firstSeenAtMs: isSame ? before.firstSeenAtMs : nowMs,
      state: 'idle',
    })
    if (!isSame || nowMs - before.lastSeenAtMs > 1_500) onHeard(owner.tenant, owner.sprite)
    const work = client
      .peekAll(workKind)
      .find(
        (one) =>
          one.metadata.namespace === owner.tenant &&
          one.status?.assignedSprite === owner.sprite &&
          !isTerminal(one.status.phase),
      )
    if (work !== undefined) await this.#advanceWork(work, owner.incarnation, sprite)
  }

  async #advanceWork(work: Work, incarnation: number, sprite: Sprite): Promise<void> {
    const { client, clock, entropy } = this.#options
    const at = { resourceVersion: work.metadata.resourceVersion }
    const key = { namespace: work.metadata.namespace ?? '', name: work.metadata.name }
    const now = timestamp(clock.now())
    const number = (work.status?.attemptsTotal ?? 0) + 1
    const mayClaim = sprite.status?.phase !== 'Draining' && !isOutgoing(sprite.status?.machine, incarnation)
    if (work.status?.phase === 'Assigned' && mayClaim) {
      const attempts = [
        ...(work.status.attempts ?? []),
        { number, sprite: sprite.metadata.name, incarnation, startTime: now },
      ]
      await client.patchStatus(
        workKind,
        key,
        { phase: 'InProgress', incarnation, attempt: number, attemptsTotal: number, attempts, startTime: now },
        at,
      )
      return
    }
    if (work.status?.phase !== 'InProgress' || work.status.incarnation !== incarnation) return
    if (entropy.random() < 0.7) return
    const isFailure = entropy.random() < this.failWork
    const outcome = isFailure ? 'Failed' : 'Completed'
    const attempts = (work.status.attempts ?? []).map((attempt) =>
      attempt.outcome === undefined ? { ...attempt, endTime: now, outcome } : attempt,
    )
    const end = isFailure
      ? { phase: 'Pending', attempts, assignedSprite: null, assignedTime: null, incarnation: null, attempt: null }
      : { phase: 'Completed', attempts, completionTime: now, tokensTotal: 10 }
    await client.patchStatus(workKind, key, end, at)
    if (!isFailure) {
      const id = `${key.namespace}/${key.name}`
      this.completions.set(id, (this.completions.get(id) ?? 0) + 1)
    }
  }
}
