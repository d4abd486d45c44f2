/** Runs `spritectl token`: a token is made here, and only its hash leaves this process. */
import { ApiError, hasReason } from '../../api/errors.ts'
import { resourceOf } from '../../api/resource-of.ts'
import type { JsonObject, Key } from '../../api/object.ts'
import { SYSTEM_NAMESPACE } from '../../api/namespaces.ts'
import { accessTokenKind, PLATFORM_ADMIN_ROLE } from '../../kinds/accesstoken/schema.ts'
import { kubeconfigText } from '../../server/kubeconfig.ts'
import { mintToken } from '../../server/tokens.ts'
import { parseTimestamp, timestamp } from '../../../system/timestamp.ts'
import { connectionFrom, type Connection } from '../api/connection.ts'
import { createObjectClient, type ObjectClient } from '../api/objects.ts'
import type { CliContext } from '../context.ts'
import { CliFailure } from '../failure.ts'
import { durationMs } from '../flags.ts'
import { jsonText, nameText } from '../output.ts'
import { clean } from '../text.ts'
import { runGet } from './run-get.ts'
import type { TokenCreateFlags, TokenListFlags, TokenPlaceFlags } from './token.ts'

const resource = resourceOf(accessTokenKind)

/** Runs `spritectl token create`. */
export async function runTokenCreate(context: CliContext, flags: TokenCreateFlags, name: string): Promise<void> {
  const grant = grantOf(flags)
  const expireTime = flags.expires === undefined ? undefined : expiryOf(flags.expires, context.clock.now())
  const connection = await connectionFrom(flags)
  const namespace = namespaceOf(flags, connection)
  // Who its holder is stands in the object; the record's actor is not stored.
  const { token, record } = mintToken({ name, groups: [] }, context.entropy)
  const spec = {
    keyId: record.keyId,
    sha256: record.sha256,
    ...grant,
    ...(flags.description === undefined ? {} : { description: flags.description }),
    ...(expireTime === undefined ? {} : { expireTime }),
  }
  const { apiVersion, kind } = accessTokenKind
  const object = { apiVersion, kind, metadata: { name, namespace }, spec }
  await withClient(connection, (client) => createOrExplain(client, object, { namespace, name }))
  const { stdout, stderr } = context.process
  const role = 'user' in grant ? `user ${grant.user}` : grant.role
  const place = flags.platform ? 'of the platform' : `of tenant ${namespace}`
  const until = expireTime === undefined ? 'until it is revoked' : `until ${expireTime}`
  stderr.write(clean(`Token "${name}" ${place} is good as ${role} ${until}. It is shown only now: keep it`) + '\n')
  if (flags.output === 'token') stdout.write(`${token}\n`)
  else if (flags.output === 'json') stdout.write(jsonText({ name, namespace, token, spec }))
  else stdout.write(kubeconfigWith(connection, token, flags.platform ? undefined : namespace))
}

/** Runs `spritectl token list`. */
export async function runTokenList(context: CliContext, flags: TokenListFlags): Promise<void> {
  const { data, kubeconfig, server, token, tenant, platform, allNamespaces, output } = flags
  if (platform && tenant !== undefined) throw bothPlaces()
  const namespace = platform ? SYSTEM_NAMESPACE : tenant
  const question = { data, kubeconfig, server, token, allNamespaces, watch: false }
  const place = namespace === undefined ? {} : { namespace }
  await runGet(context, { ...question, ...place, ...(output === undefined ? {} : { output }) }, resource.plural)
}

/** Runs `spritectl token revoke`. */
export async function runTokenRevoke(context: CliContext, flags: TokenPlaceFlags, name: string): Promise<void> {
  if (flags.platform && flags.tenant !== undefined) throw bothPlaces()
  const connection = await connectionFrom(flags)
  const key = { namespace: namespaceOf(flags, connection), name }
  await withClient(connection, (client) => client.delete(resource, key))
  context.process.stdout.write(`${nameText(resource, name)} revoked\n`)
}

async function withClient(connection: Connection, use: (client: ObjectClient) => Promise<void>): Promise<void> {
  const client = createObjectClient(connection)
  try {
    await use(client)
  } finally {
    client.close()
  }
}

async function createOrExplain(client: ObjectClient, object: JsonObject, key: Key): Promise<void> {
  try {
    await client.create(resource, object)
  } catch (error) {
    if (hasReason(error, 'NotFound') && key.namespace !== SYSTEM_NAMESPACE)
      throw new CliFailure('NotFound', `Find no tenant "${key.namespace}": apply it first, or name another`, {
        cause: error,
      })
    if (hasReason(error, 'AlreadyExists'))
      throw new ApiError('AlreadyExists', `Choose another name, there is a token "${key.name}": or revoke it first`)
    throw error
  }
}

const bothPlaces = (): CliFailure => new CliFailure('Usage', 'Name either --tenant or --platform, not both')

/** What the token gives. Throws CliFailure Usage when the flags do not say one thing. */
function grantOf(flags: TokenCreateFlags): { readonly role: string } | { readonly user: string } {
  const { platform, tenant, role, user } = flags
  if (platform && tenant !== undefined) throw bothPlaces()
  if (platform && (role !== undefined || user !== undefined))
    throw new CliFailure('Usage', 'Leave --role and --user out with --platform: it is a platform admin')
  if (platform) return { role: PLATFORM_ADMIN_ROLE }
  if (role !== undefined && user !== undefined)
    throw new CliFailure('Usage', 'Name either --role or --user, not both: a user has a role')
  if (role !== undefined) return { role }
  if (user !== undefined) return { user }
  throw new CliFailure('Usage', 'Say what the token is good for: --role admin, member or viewer, or --user USER')
}

function namespaceOf(flags: TokenPlaceFlags, connection: Connection): string {
  if (flags.platform) return SYSTEM_NAMESPACE
  const namespace = flags.tenant ?? connection.namespace ?? ''
  if (namespace === '') throw new CliFailure('Usage', 'Name the tenant with --tenant, or --platform for all tenants')
  return namespace
}

/** A century. */
const LIFETIME_MS_MAX = 36_525 * 86_400_000

/** The instant at which a token ends. Throws CliFailure Usage. */
function expiryOf(text: string, nowMs: number): string {
  const atMs = /^\d+[a-z]+$/.test(text) ? nowMs + durationMs(text) : parseTimestamp(text)
  if (atMs === undefined || !/[a-zT]/.test(text))
    throw new CliFailure('Usage', `Name an end such as 12h, 90d or 2027-02-09T12:00:00Z: got "${text}"`)
  if (atMs - nowMs > LIFETIME_MS_MAX)
    throw new CliFailure('Usage', `Leave --expires out for a token without an end: got "${text}"`)
  if (atMs <= nowMs) throw new CliFailure('Usage', `Name an end that is still to come: got "${text}"`)
  return timestamp(atMs)
}

const kubeconfigWith = (connection: Connection, token: string, namespace: string | undefined): string => {
  const { server, caCert } = connection
  return kubeconfigText({
    server,
    token,
    ...(caCert === undefined ? {} : { caCert }),
    ...(namespace === undefined ? {} : { namespace }),
  })
}
