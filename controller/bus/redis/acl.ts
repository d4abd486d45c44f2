/** Pure: the name of a sprite's Redis user, and the rules that let it hear its own channels and nothing else. */
import {
  isObjectName,
  isTenantName,
  spriteHeartbeat,
  spriteInbox,
  tenantBroadcasts,
} from '../../../protocol/channels.ts'
import type { SpriteOnBus } from '../sprite-users.ts'

/** The ways in which servers take such rules, the tightest first. */
export const DIALECTS = ['selectors', 'flat', 'token', 'tokenBare'] as const

/**
 * `selectors` (Redis 7, Valkey): publish on one channel, subscribe to two others. `flat` (Redis 6.2): the same three
 * channels for both. `token` (Upstash): flat, with a password that the server made. `tokenBare`: without the commands of
 * a connection, which some servers grant to everybody and have no name for.
 */
export type Dialect = (typeof DIALECTS)[number]

/** The channels of a sprite, as Redis knows them. */
export type SpriteChannels = { readonly inbox: string; readonly broadcasts: string; readonly heartbeat: string }

/** Separates the parts of a user's name: no name of an object has it. */
const SEPARATOR = '_'
const UID = /^[A-Za-z0-9-]{1,64}$/
const PREFIX = /^(?:[a-z0-9-]{1,60}:)?$/

/** Whether a prefix of channels may stand in rules: empty, or one word and a colon. */
export const isPrefix = (prefix: string): boolean => PREFIX.test(prefix)

/** Whether names and rules may be built of it. */
export const isAddressable = (who: SpriteOnBus): boolean =>
  isTenantName(who.tenant) &&
  isObjectName(who.sprite) &&
  UID.test(who.uid) &&
  Number.isSafeInteger(who.incarnation) &&
  who.incarnation >= 1

/** What the names of all our users begin with. */
export const userPrefix = (prefix: string): string => ['sprite', prefix.replace(':', ''), ''].join(SEPARATOR)

/** The name of an incarnation's user. Only for what isAddressable. */
export const usernameOf = (prefix: string, who: SpriteOnBus): string =>
  userPrefix(prefix) + [who.tenant, who.sprite, who.uid, who.incarnation].join(SEPARATOR)

/** The channels of a sprite. Only for what isAddressable. */
export const channelsOf = (prefix: string, who: SpriteOnBus): SpriteChannels => ({
  inbox: prefix + spriteInbox(who.tenant, who.sprite),
  broadcasts: prefix + tenantBroadcasts(who.tenant),
  heartbeat: prefix + spriteHeartbeat(who.tenant, who.sprite),
})

/** Rules of ACL SETUSER that make a user anew: nothing is allowed but what they name, and no key at all. */
export function rulesOf(dialect: Dialect, channels: SpriteChannels, password: string): readonly string[] {
  const { inbox, broadcasts, heartbeat } = channels
  const clean = ['reset', 'on', `>${password}`, '-@all', 'resetkeys', 'resetchannels']
  const connection = ['+hello', '+auth', '+ping', '+quit']
  if (dialect === 'selectors')
    return [...clean, ...connection, `(+publish &${heartbeat})`, `(+subscribe +unsubscribe &${inbox} &${broadcasts})`]
  const flat = ['+subscribe', '+unsubscribe', '+publish', `&${inbox}`, `&${broadcasts}`, `&${heartbeat}`]
  return dialect === 'tokenBare' ? [...clean, '+ping', ...flat] : [...clean, ...connection, ...flat]
}

/** Whether the server makes the password itself. */
export const isTokenDialect = (dialect: Dialect): boolean => dialect === 'token' || dialect === 'tokenBare'
