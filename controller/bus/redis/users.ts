/**
 * A Redis user for each incarnation of a sprite, so that sprites listen for themselves and can do nothing else there.
 *
 * Rules:
 *  RB7 A user may subscribe to its sprite's inbox and its tenant's broadcasts and publish on its sprite's heartbeat
 *      channel (where a server cannot tell the two apart, both on all three); no other channel, command or key.
 *  RB8 A user's password follows from the master key and the incarnation: every process gives the same access, and
 *      gives it again after Redis lost everything. Nothing is stored.
 *  RB9 A grant ends the access of earlier incarnations; the end of an incarnation or of its sprite ends its access as soon
 *      as a Coordinator hears of it, and a sweep what that missed. DELUSER closes their open connections.
 *  RB10 Names are checked before a channel or rule is built from them; what is not a DNS-1123 name gets no access.
 *  RB11 A server that has no users for us is told of once; its sprites keep the Coordinator's stream, and the control
 *      plane's own password is never handed out.
 *  RB12 Where passwords must come from ACL GENTOKEN (Upstash), they do; rules that such a server refuses are not used.
 *  RB13 The Coordinator hands access out, over the sprite's own token and to its current incarnation alone; it is never
 *      in a machine's environment (coordinator/routes/bus.ts).
 */
import { hkdfSync } from 'node:crypto'
import type { BusReply } from '../../../protocol/coordinator.ts'
import type { Clock } from '../../../system/clock.ts'
import type { Entropy } from '../../../system/entropy.ts'
import type { Log } from '../../../system/log.ts'
import type { NoAccess, SpriteOnBus, SpriteUsers } from '../sprite-users.ts'
import {
  channelsOf,
  DIALECTS,
  isAddressable,
  isPrefix,
  isTokenDialect,
  rulesOf,
  userPrefix,
  usernameOf,
  type Dialect,
} from './acl.ts'
import { LINK_TIMES, openLink, type LinkTimes } from './link.ts'

/** What users are made with. */
export type SpriteUsersOptions = {
  /** The control plane's own way in; its user needs the ACL command. */
  readonly url: string
  /** Where sprites reach the same server, without user and password; from `url` when absent. */
  readonly spriteUrl?: string
  readonly masterKey: Uint8Array
  /** The same as that of the bus. */
  readonly prefix?: string
  readonly clock: Clock
  readonly entropy: Entropy
  readonly log: Log
  readonly times?: Partial<LinkTimes>
  /** Which sprites there are, with their current incarnations; undefined while that is not known yet. */
  readonly current?: () => Iterable<SpriteOnBus> | undefined
  /** How often users of sprites that are not current are removed, ms. */
  readonly sweepIntervalMs?: number
}

/** Sends one command; rejects with an error named ReplyError when the server refuses, otherwise when it does not answer. */
export type SendCommand = (command: string, ...args: readonly string[]) => Promise<unknown>

const SWEEP_INTERVAL_MS = 60_000
/** After every dialect was refused, it is tried again so much later: rights and plans change. */
const PROBE_AGAIN_MS = 60_000
/** Earlier incarnations whose users a grant removes; the sweep finds older ones. */
const ROTATED = 8
/** Users in one DELUSER. */
const REMOVE_BATCH = 200
const GRANTS_AT_ONCE_MAX = 256

/** Users over a connection of their own. */
export function createSpriteUsers(options: SpriteUsersOptions): SpriteUsers {
  const log = options.log.child({ part: 'bus' })
  const times = { ...LINK_TIMES, ...options.times }
  const link = openLink({ ...options, log }, { url: options.url, name: 'users', times })
  const send: SendCommand = async (command, ...args) => link.client.call(command, ...args)
  const users = createSpriteUsersOver({ ...options, log }, send)
  return {
    ...users,
    close: () => {
      users.close()
      link.close()
    },
  }
}

/** Users over any way of sending commands. */
export function createSpriteUsersOver(options: Omit<SpriteUsersOptions, 'times'>, send: SendCommand): SpriteUsers {
  const { clock, log, prefix = '' } = options
  if (!isPrefix(prefix)) throw new RangeError(`Choose another prefix of channels than "${prefix}": a word and a colon`)
  const url = options.spriteUrl ?? addressOf(options.url)
  const setUser = createSetUser({ ...options, prefix }, send)
  const remove = async (names: readonly string[]): Promise<void> => {
    for (let at = 0; at < names.length; at += REMOVE_BATCH)
      await send('ACL', 'DELUSER', ...names.slice(at, at + REMOVE_BATCH))
  }
  let granting = 0
  /** Users that this process has just made: the sweep's picture may be older than they are. */
  const made = new Map<string, number>()

  async function grant(who: SpriteOnBus): Promise<BusReply | NoAccess> {
    if (!isAddressable(who)) {
      log.error({ tenant: who.tenant, sprite: who.sprite }, 'no user for a sprite whose name is none')
      return 'Unsupported'
    }
    const username = usernameOf(prefix, who)
    const password = await setUser(who, username)
    if (password === 'Unsupported' || password === 'Away') return password
    if (options.current !== undefined) made.set(username, clock.monotonic())
    // Theirs are void already by their tokens; a failure is the sweep's to mend.
    await remove(earlierOf(who).map((one) => usernameOf(prefix, one))).catch(() => {})
    return { url, username, password: password.text, ...channelsOf(prefix, who) }
  }

  async function sweep(): Promise<void> {
    const current = options.current?.()
    if (current === undefined) return
    const keep = new Set<string>()
    for (const who of current) if (isAddressable(who)) keep.add(usernameOf(prefix, who))
    for (const [name, atMs] of made) if (clock.monotonic() - atMs > SWEEP_INTERVAL_MS) made.delete(name)
    const names = await send('ACL', 'USERS')
    if (!Array.isArray(names)) return
    const stray = names.filter(
      (name): name is string =>
        typeof name === 'string' && name.startsWith(userPrefix(prefix)) && !keep.has(name) && !made.has(name),
    )
    if (stray.length > 0) log.info({ count: stray.length }, 'removes Redis users of sprites that are gone')
    await remove(stray)
  }

  let cancel = (): void => {}
  const sweepOn = (): void => {
    sweep().catch((error: unknown) =>
      log.debug({ reason: error instanceof Error ? error.message : '' }, 'users were not swept'),
    )
    cancel = clock.after(options.sweepIntervalMs ?? SWEEP_INTERVAL_MS, sweepOn, { background: true })
  }
  if (options.current !== undefined)
    cancel = clock.after(options.sweepIntervalMs ?? SWEEP_INTERVAL_MS, sweepOn, { background: true })

  return {
    grant: async (who) => {
      if (granting >= GRANTS_AT_ONCE_MAX) return 'Away'
      granting += 1
      return grant(who).finally(() => (granting -= 1))
    },
    revoke: async (who) => {
      if (!isAddressable(who)) return true
      return remove([usernameOf(prefix, who)]).then(
        () => true,
        () => false,
      )
    },
    close: () => cancel(),
  }
}

/** The server has answered, and refuses; everything else is a connection that failed. */
const isRefusal = (error: unknown): error is Error => error instanceof Error && error.name === 'ReplyError'

type Password = { readonly text: string }

/** Makes a user in the first dialect that the server takes, and remembers which that is. */
function createSetUser(
  options: Pick<SpriteUsersOptions, 'url' | 'masterKey' | 'clock' | 'log'> & { readonly prefix: string },
  send: SendCommand,
): (who: SpriteOnBus, username: string) => Promise<Password | NoAccess> {
  const { clock, log, prefix } = options
  // Upstash would take selectors for wrong passwords, and warn of each.
  const isUpstash = new URL(options.url).hostname.endsWith('.upstash.io')
  const usable = isUpstash ? DIALECTS.filter(isTokenDialect) : DIALECTS
  let known: Dialect | undefined
  let refusedAtMs: number | undefined
  let wasTold = false

  async function tryDialect(dialect: Dialect, who: SpriteOnBus, username: string): Promise<Password> {
    const derived = passwordOf(options.masterKey, prefix, who)
    const text = isTokenDialect(dialect) ? await send('ACL', 'GENTOKEN', username, derived) : derived
    if (typeof text !== 'string' || text === '') throw new TypeError('The server made no token')
    await send('ACL', 'SETUSER', username, ...rulesOf(dialect, channelsOf(prefix, who), text))
    return { text }
  }

  function refused(reason: string): NoAccess {
    refusedAtMs = clock.monotonic()
    if (!wasTold) {
      const why = 'Redis gives sprites no users of their own: they keep the Coordinator’s stream'
      // The server repeats what it did not take, which may be the password.
      log.warn({ reason: reason.replaceAll(/[>#]\S+/g, '>…').slice(0, 200) }, why)
    }
    wasTold = true
    return 'Unsupported'
  }

  return async (who, username) => {
    if (refusedAtMs !== undefined && clock.monotonic() - refusedAtMs < PROBE_AGAIN_MS) return 'Unsupported'
    let reason = ''
    for (const dialect of known === undefined ? usable : [known]) {
      try {
        const password = await tryDialect(dialect, who, username)
        known = dialect
        refusedAtMs = undefined
        return password
      } catch (error) {
        if (!isRefusal(error)) return 'Away'
        reason = error.message
      }
    }
    // What has worked before is refused for now, as by a server that is loading.
    if (known === undefined) return refused(reason)
    known = undefined
    return 'Away'
  }
}

/** Each incarnation has a password of its own: one that leaks opens three channels until the next incarnation. */
function passwordOf(masterKey: Uint8Array, prefix: string, who: SpriteOnBus): string {
  const info = JSON.stringify(['sprite-redis', 1, prefix, who.tenant, who.sprite, who.uid, who.incarnation])
  return Buffer.from(hkdfSync('sha256', masterKey, new Uint8Array(0), info, 32)).toString('base64url')
}

function earlierOf(who: SpriteOnBus): readonly SpriteOnBus[] {
  const first = Math.max(1, who.incarnation - ROTATED)
  return Array.from({ length: who.incarnation - first }, (_, index) => ({ ...who, incarnation: first + index }))
}

/** The server's address alone: ioredis takes a password, and a database that no sprite may select, from the rest too. */
function addressOf(text: string): string {
  const { protocol, host } = new URL(text)
  return `${protocol}//${host}`
}
