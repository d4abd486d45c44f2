/** Reads the control plane's settings from the environment: the only place that looks at process.env. */
import { z } from 'zod'

const WEB = { protocol: /^https?$/, error: 'give https:// or http:// with a host' }

const oneOf = <const T extends readonly [string, ...string[]]>(values: T) =>
  z.enum(values, { error: `give ${values.slice(0, -1).join(', ')} or ${values.at(-1)}` })

const wholeNumber = (min: number, max: number) => {
  const error = `give a whole number from ${min} to ${max}`
  return z.coerce.number({ error }).int(error).min(min, error).max(max, error)
}

const environmentSchema = z.object({
  /** Where objects live: one file in the data folder, Firestore, or a Kubernetes cluster that has our CRDs. */
  STORE: oneOf(['embedded', 'firestore', 'cluster']).default('embedded'),
  /** What this process does, separated by commas: api, coordinator, controller. */
  ROLES: z
    .string()
    .regex(
      /^(?:api|coordinator|controller)(?:,(?:api|coordinator|controller))*$/,
      'give roles out of api, coordinator, controller, separated by commas',
    )
    .default('api,coordinator,controller'),
  /** Which control plane this is, the same for all of its processes; from the data folder when absent. */
  CONTROL_PLANE_ID: z
    .string()
    .regex(/^cp-[0-9a-f]{12}$/, 'give cp- and 12 hexadecimal digits in lower case')
    .optional(),
  /** Hex of 32 bytes that sprites' tokens are derived from, the same for all processes; from the data folder when absent. */
  MASTER_KEY: z
    .string()
    .regex(/^[0-9a-f]{64}$/, 'give 64 hexadecimal digits in lower case, as of openssl rand -hex 32')
    .optional(),
  /** File of the cluster whose objects are reconciled, with STORE "cluster"; in a pod the service account will do. */
  KUBECONFIG: z.string().min(1).max(4_096).optional(),
  /** Set by Kubernetes in every pod. */
  KUBERNETES_SERVICE_HOST: z.string().min(1).optional(),
  /** Google Cloud project of the Firestore database. */
  FIRESTORE_PROJECT: z
    .string()
    .max(100)
    .regex(/^[a-z0-9][a-z0-9.:-]*$/, 'give the id of a project, such as acme-prod-1')
    .optional(),
  FIRESTORE_DATABASE: z
    .string()
    .regex(/^(?:\(default\)|[a-z0-9][a-z0-9-]{0,62})$/, 'give the id of a database, or (default)')
    .default('(default)'),
  /** `host:port` of a Firestore emulator, as Google's tools set it. */
  FIRESTORE_EMULATOR_HOST: z
    .string()
    .max(300)
    .refine(isHostAndPort, 'give host:port, such as 127.0.0.1:8080')
    .optional(),
  /** Where messages and the token ledger live when several processes share the tenants: redis:// or rediss://. */
  REDIS_URL: z
    .string()
    .max(2_048)
    .refine(isRedisUrl, 'give redis:// or rediss:// with a host, special characters of the password percent-encoded')
    .optional(),
  /** With it, sprites talk to Claude; without it, the rehearsal model answers. */
  ANTHROPIC_API_KEY: z.string().min(1).optional(),
  ANTHROPIC_BASE_URL: z.url(WEB).default('https://api.anthropic.com'),
  /** Claude model for personas that name none. */
  SPRITE_MODEL: z.string().min(1).optional(),
  /** With it, machines run at Fly.io; without it, on the emulator in this process. */
  FLY_API_TOKEN: z.string().min(1).optional(),
  FLY_FLAPS_BASE_URL: z.url(WEB).default('https://api.machines.dev'),
  FLY_ORG: z.string().min(1).default('personal'),
  /** `highera-{tenant}` gives each tenant an app and a network of its own; a plain name is one app for all. */
  FLY_APP: z
    .string()
    .max(40)
    .regex(/^(?:[a-z0-9-]|\{tenant\})+$/, 'give lower-case letters, digits, dashes and {tenant}, such as acme-{tenant}')
    .default('highera-{tenant}'),
  /** Regions that sprites without spec.regions run in, in order of preference, separated by commas. */
  FLY_REGIONS: z
    .string()
    .regex(/^[a-z]{2,20}(?:,[a-z]{2,20})*$/, 'give regions separated by commas and nothing else, such as iad,any')
    .default('iad,any'),
  /** Image that sprites without spec.image run; best pinned by digest. */
  SPRITE_IMAGE: z.string().min(1).default('registry.fly.io/highera-sprites:latest'),
  /**
   * Keys that Secrets are encrypted with where they are stored, as `id:base64,id2:base64` of 32 bytes each: the first
   * one encrypts, all decrypt. Without it, one key is derived from the data folder's own.
   */
  SECRETS_ENCRYPTION_KEYS: z
    .string()
    .refine(areEncryptionKeys, 'give id:base64 of 32 bytes each, separated by commas, every id once and none "derived"')
    .optional(),
  /** "true": no machine of any tenant is created, started, stopped or destroyed until the next start without it. */
  FREEZE: oneOf(['true', 'false']).default('false'),
  /** "true": machines that belong to no sprite are told of, not destroyed. */
  COLLECT_DRY_RUN: oneOf(['true', 'false']).default('false'),
  /** PEM files that the https API is served with, instead of a certificate of the local CA: both or none. */
  TLS_CERT_FILE: z.string().min(1).optional(),
  TLS_KEY_FILE: z.string().min(1).optional(),
  /** PEM of the authority that signed them, for the kubeconfig; absent when the system of every client knows it. */
  TLS_CA_FILE: z.string().min(1).optional(),
  /**
   * PEM of the authorities that sign the client certificate of a cluster's kube-apiserver as front proxy: over it, and
   * nowhere else, callers are whom X-Remote-User and the like name. They must sign nobody else's certificate.
   */
  REQUESTHEADER_CLIENT_CA_FILE: z.string().min(1).max(4_096).optional(),
  /** Common names that the front proxy's certificate may have, separated by commas; "*" is any. */
  REQUESTHEADER_ALLOWED_NAMES: z
    .string()
    .regex(/[^\s,]/, 'name at least one, or "*"')
    .default('front-proxy-client'),
  /** "true": authorities and names come from the cluster's ConfigMap kube-system/extension-apiserver-authentication. */
  REQUESTHEADER_FROM_CLUSTER: oneOf(['true', 'false']).default('false'),
  /** Where sprites reach this Coordinator; needed when machines run at Fly.io. */
  COORDINATOR_URL: z.url(WEB).optional(),
  /** With it, ID tokens of this OIDC issuer are taken for the API. */
  OIDC_ISSUER: z
    .url()
    .max(2_048)
    .refine(isSafeIssuer, 'use https (plain http is for the loopback interface), without query and fragment')
    .optional(),
  /** Client ids that ID tokens may be meant for, separated by commas. */
  OIDC_AUDIENCE: z
    .string()
    .regex(/[^\s,]/, 'name at least one')
    .optional(),
  /** Claim that names a person; an e-mail address is matched with User objects. */
  OIDC_USERNAME_CLAIM: z.string().min(1).max(100).default('email'),
  OIDC_GROUPS_CLAIM: z.string().min(1).max(100).default('groups'),
  /** Stands before every group of the issuer, so that none can be taken for one of the control plane. */
  OIDC_GROUPS_PREFIX: z
    .string()
    .min(1)
    .max(50)
    .refine((prefix) => !prefix.startsWith('system:'), 'choose one that does not begin with "system:"')
    .default('oidc:'),
  /** Groups, as the issuer names them, whose members are platform admins; separated by commas. */
  OIDC_ADMIN_GROUPS: z.string().default(''),
  /** Size at which the audit log goes on in a new file. */
  AUDIT_LOG_FILE_BYTES_MAX: wholeNumber(65_536, 10_737_418_240).default(104_857_600),
  /** How many objects of a kind a tenant may have, where not the built-in number, as `work=100000,bytes=1073741824`. */
  TENANT_OBJECT_LIMITS: z
    .string()
    .max(1_000)
    .regex(/^[a-z]+=\d{1,12}(?:,[a-z]+=\d{1,12})*$|^$/, 'give resource=count, separated by commas')
    .default(''),
  /** Full files that are kept besides the one that is written; the oldest goes first. */
  AUDIT_LOG_FILES_KEPT: wholeNumber(0, 10_000).default(10),
})

function areEncryptionKeys(text: string): boolean {
  const ids = text.split(',').map((part) => /^([a-z0-9][a-z0-9-]{0,31}):[A-Za-z0-9+/]{43}=$/.exec(part)?.[1])
  return !ids.includes(undefined) && !ids.includes('derived') && new Set(ids).size === ids.length
}

function isHostAndPort(text: string): boolean {
  const port = /^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):(\d{1,5})$/.exec(text)?.[1]
  return port !== undefined && Number(port) >= 1 && Number(port) <= 65_535
}

/** Without a host the client would take that of its own machine. */
function isRedisUrl(text: string): boolean {
  const url = URL.parse(text)
  const isEncoded = (part: string): boolean => !/%(?![0-9A-Fa-f]{2})/.test(part)
  return (
    url !== null && /^rediss?:$/.test(url.protocol) && url.hostname !== '' && isEncoded(url.username + url.password)
  )
}

/** What is fetched in the clear could be anybody's. */
function isSafeIssuer(text: string): boolean {
  const url = URL.parse(text)
  if (url === null || url.search !== '' || url.hash !== '' || url.username !== '') return false
  const isLoopback = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/.test(url.hostname)
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback)
}

export type Environment = Readonly<z.infer<typeof environmentSchema>>

/** Every setting that there is, by its variable. */
export const SETTING_NAMES: readonly string[] = Object.keys(environmentSchema.shape)

/** Settings whose value a refusal repeats: none of them is given a secret, not even by mistake for its neighbour. */
const REPEATED: ReadonlySet<string> = new Set<SettingName>([
  'STORE',
  'ROLES',
  'FIRESTORE_DATABASE',
  'FIRESTORE_EMULATOR_HOST',
  'FLY_REGIONS',
  'FREEZE',
  'COLLECT_DRY_RUN',
  'REQUESTHEADER_FROM_CLUSTER',
  'AUDIT_LOG_FILE_BYTES_MAX',
  'AUDIT_LOG_FILES_KEPT',
])
const VALUE_CHARS_SHOWN = 80

/** A setting that cannot be used; the message names the variable and what would do. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

/** What the process was started with. */
export const environmentVariables = (): Readonly<Record<string, string | undefined>> => process.env

/** The settings, checked; empty variables count as absent. Throws ConfigError. */
export function readEnvironment(
  variables: Readonly<Record<string, string | undefined>> = environmentVariables(),
): Environment {
  const given = Object.fromEntries(Object.entries(variables).filter(([, value]) => value !== undefined && value !== ''))
  const read = environmentSchema.safeParse(given)
  if (!read.success) {
    const issue = read.error.issues[0]
    const name = String(issue?.path[0] ?? '')
    const value = REPEATED.has(name) ? `, which is "${String(given[name]).slice(0, VALUE_CHARS_SHOWN)}"` : ''
    throw new ConfigError(`Check the environment variable ${name}${value}: ${issue?.message ?? 'it cannot be used'}`)
  }
  if (read.data.FLY_API_TOKEN !== undefined && read.data.COORDINATOR_URL === undefined)
    throw new ConfigError(
      'Set COORDINATOR_URL to where machines at Fly.io reach this Coordinator: FLY_API_TOKEN is set',
    )
  if (read.data.OIDC_ISSUER !== undefined && read.data.OIDC_AUDIENCE === undefined)
    throw new ConfigError('Set OIDC_AUDIENCE to the client id that ID tokens are meant for: OIDC_ISSUER is set')
  checkShared(read.data)
  if ((read.data.TLS_CERT_FILE === undefined) !== (read.data.TLS_KEY_FILE === undefined))
    throw new ConfigError('Set TLS_CERT_FILE and TLS_KEY_FILE together, or neither: only one of them is set')
  return read.data
}

/** What one process does; `controller` shares the tenants with the other controllers. */
export type Role = 'api' | 'coordinator' | 'controller'

/** The roles of this process. Pure. */
export const rolesOf = ({ ROLES }: Pick<Environment, 'ROLES'>): ReadonlySet<Role> =>
  // The schema lets nothing else through.
  new Set(ROLES.split(',') as Role[])

/** Whether other processes may work on the same objects. Pure. */
export const isShared = ({ STORE }: Pick<Environment, 'STORE'>): boolean => STORE !== 'embedded'

type SettingName = keyof Environment

const MAKE_KEY = 'openssl rand -hex 32'
/** What is needed beside STORE, and what it is good for. */
const NEEDED_BESIDE: Readonly<Record<Environment['STORE'], readonly (readonly [SettingName, string])[]>> = {
  embedded: [],
  firestore: [
    ['FIRESTORE_PROJECT', 'the Google Cloud project that has the database'],
    ['REDIS_URL', 'the Redis for messages and the token ledger, which processes share'],
    ['CONTROL_PLANE_ID', 'cp- and 12 hexadecimal digits, the same for all processes and for ever'],
    ['MASTER_KEY', `what "${MAKE_KEY}" prints, the same for all processes`],
    ['FLY_API_TOKEN', 'the token for the machines, which every process has to find'],
  ],
  cluster: [
    ['CONTROL_PLANE_ID', 'cp- and 12 hexadecimal digits, the same for all processes and for ever'],
    ['MASTER_KEY', `what "${MAKE_KEY}" prints, the same for all processes`],
    ['FLY_API_TOKEN', 'the token for the machines, which every process has to find'],
  ],
}

/** Throws ConfigError when a setting is missing that processes have to agree on. */
function checkShared(settings: Environment): void {
  const [missing, ...more] = NEEDED_BESIDE[settings.STORE].filter(([name]) => settings[name] === undefined)
  const others = more.length === 0 ? '' : `; missing too: ${more.map(([name]) => name).join(', ')}`
  if (missing !== undefined)
    throw new ConfigError(`Set ${missing[0]} to ${missing[1]}: STORE is "${settings.STORE}"${others}`)
  const roles = rolesOf(settings)
  if (isShared(settings) || roles.size === 3) return
  throw new ConfigError(
    `Leave ROLES unset, or set STORE to "firestore" or "cluster": ROLES is "${settings.ROLES}", and no other process reaches the embedded store`,
  )
}
