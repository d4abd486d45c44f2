/** Looks at the Redis of the settings before a control plane does: whether it is there, can be written, and has users for sprites. */
import { Redis } from 'ioredis'
import { check, type Check } from '../../providers/check.ts'

const ANSWER_TIMEOUT_MS = 5_000
const NAME = 'redis'

/** One line a finding; changes nothing there. Never rejects. */
export async function redisChecks(url: string): Promise<readonly Check[]> {
  const client = new Redis(url, {
    lazyConnect: true,
    enableReadyCheck: false,
    disableClientInfo: true,
    maxRetriesPerRequest: 0,
    connectTimeout: ANSWER_TIMEOUT_MS,
    commandTimeout: ANSWER_TIMEOUT_MS,
    retryStrategy: null,
  })
  let failure: Error | undefined
  client.on('error', (error: Error) => (failure ??= error))
  try {
    await client.connect()
    await client.ping()
  } catch (error) {
    client.disconnect()
    return [unreachable(url, failure ?? error)]
  }
  try {
    return [await writable(client), (await fullness(client)) ?? (await forgetting(client)), await users(client)]
  } finally {
    client.disconnect()
  }
}

const unreachable = (url: string, error: unknown): Check => {
  const fix = 'look at host, port, user and password of REDIS_URL, and whether it has to be rediss://'
  return check(NAME, 'fail', `does not let us in at "${new URL(url).host}" (${textOf(error)})`, fix)
}

/** A replica takes calls and forgets them: nothing that is written to it comes to the others. */
async function writable(client: Redis): Promise<Check> {
  const role = await ask(client, 'ROLE')
  if (Array.isArray(role) && role[0] !== 'master')
    return check(NAME, 'fail', 'is a replica, which cannot be written', 'let REDIS_URL name the master')
  return check(NAME, 'ok', 'answers')
}

/** One that is full takes no bookings: by their plans, calls to the model wait. Undefined where there is room, or it does not say. */
async function fullness(client: Redis): Promise<Check | undefined> {
  const memory = await ask(client, 'INFO', 'memory')
  if (typeof memory !== 'string') return undefined
  const of = (name: string): number => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(memory)?.[1] ?? 0)
  const [used, max] = [of('used_memory'), of('maxmemory')]
  if (max === 0 || used < max) return undefined
  const text = `is full (${used} of ${max} bytes): the token ledger is refused, and calls to the model wait`
  return check('redis memory', 'fail', text, 'raise maxmemory, or remove what others keep there')
}

/** What is thrown out for want of room is the ledger: tenants' usage then jumps up to what may have been granted. */
async function forgetting(client: Redis): Promise<Check> {
  const [, policy] = [await ask(client, 'CONFIG', 'GET', 'maxmemory-policy')].flat()
  if (typeof policy !== 'string') return check('redis memory', 'ok', 'does not say what it forgets when it is full')
  if (policy === 'noeviction') return check('redis memory', 'ok', 'forgets nothing when it is full')
  const fix = 'set maxmemory-policy noeviction'
  return check('redis memory', 'warn', `forgets the token ledger when it is full ("${policy}")`, fix)
}

async function users(client: Redis): Promise<Check> {
  const names = await ask(client, 'ACL', 'USERS')
  if (Array.isArray(names)) return check('redis users', 'ok', 'sprites get users of their own')
  const text = 'gives sprites no users of their own: they stay with the Coordinator’s stream'
  return check('redis users', 'warn', text, 'let our user use the ACL command, or take a plan that has it')
}

/** The answer; undefined when it is refused. */
const ask = (client: Redis, command: string, ...args: readonly string[]): Promise<unknown> =>
  client.call(command, ...args).catch(() => undefined)

const textOf = (error: unknown): string => (error instanceof Error ? error.message.slice(0, 200) : 'no answer')
