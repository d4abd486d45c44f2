/** Pure: how a MachineSpec is written as Fly's create request, and how our stamp is read back from a machine's config. */
import { sameStamp } from '../owner-stamp.ts'
import type { MachineSpec, OwnerStamp } from '../machines.ts'

/** Keys are our own, so that `fly deploy` and `fly scale` (which look for `fly_…`) leave our machines alone. */
const KEY = {
  managedBy: 'highera_managed_by',
  controlPlane: 'highera_control_plane',
  tenant: 'highera_tenant',
  sprite: 'highera_sprite',
  spriteUid: 'highera_sprite_uid',
  incarnation: 'highera_incarnation',
  specHash: 'highera_spec_hash',
} as const

const MANAGED_BY = 'highera-sprites'

/** The stamp again, in env: a workload can rewrite its own metadata from inside, but not its env. */
const OWNER_ENV = 'HIGHERA_OWNER'

/** The body of the create call, as we write it. */
export type FlyCreateRequest = {
  readonly name: string
  readonly region: string
  readonly config: {
    readonly image: string
    readonly guest: { readonly cpu_kind: string; readonly cpus: number; readonly memory_mb: number }
    readonly env: Readonly<Record<string, string>>
    readonly metadata: Readonly<Record<string, string>>
    readonly auto_destroy: boolean
    readonly restart: { readonly policy: 'no' }
    readonly stop_config: { readonly signal: string; readonly timeout: string }
  }
}

/** The body of the create call. No services: then Fly's proxy never starts or stops the machine. */
export function createRequest(spec: MachineSpec): FlyCreateRequest {
  return {
    name: spec.name,
    region: spec.regions.join(','),
    config: {
      image: spec.image,
      guest: { cpu_kind: spec.guest.cpuKind, cpus: spec.guest.cpus, memory_mb: spec.guest.memoryMb },
      env: { ...spec.env, [OWNER_ENV]: JSON.stringify(stampMetadata(spec.owner)) },
      metadata: stampMetadata(spec.owner),
      auto_destroy: spec.autoDestroy,
      restart: { policy: 'no' },
      stop_config: { signal: 'SIGTERM', timeout: `${spec.stopTimeoutSeconds}s` },
    },
  }
}

/** The stamp as metadata. */
export function stampMetadata(owner: OwnerStamp): Record<string, string> {
  return {
    [KEY.managedBy]: MANAGED_BY,
    [KEY.controlPlane]: owner.controlPlane,
    [KEY.tenant]: owner.tenant,
    [KEY.sprite]: owner.sprite,
    [KEY.spriteUid]: owner.spriteUid,
    [KEY.incarnation]: String(owner.incarnation),
    [KEY.specHash]: owner.specHash,
  }
}

/** Query of a list that asks for the machines of this control plane, of one tenant or of all; several filters are ANDed. */
export const stampFilter = (controlPlane: string, tenant?: string): URLSearchParams =>
  new URLSearchParams({
    [`metadata.${KEY.controlPlane}`]: controlPlane,
    ...(tenant === undefined ? {} : { [`metadata.${KEY.tenant}`]: tenant }),
  })

type StampedConfig = {
  readonly env?: Readonly<Record<string, string>> | null | undefined
  readonly metadata?: Readonly<Record<string, string>> | null | undefined
}

/** The complete stamp of a config, from env where it is there, else from metadata; undefined where it is not whole. */
export function readStamp(config: StampedConfig | null | undefined): OwnerStamp | undefined {
  const stamped = config?.env?.[OWNER_ENV]
  if (stamped !== undefined) return parseStamp(parseRecord(stamped))
  return parseStamp(config?.metadata ?? {})
}

/**
 * The stamp of a machine in an app that others use too: the one in env and the one in metadata must both be whole, and the
 * same. Env says what it was made as, metadata that nobody has taken it over since.
 */
export function provenStamp(config: StampedConfig | null | undefined): OwnerStamp | undefined {
  const made = config?.env?.[OWNER_ENV]
  const stamp = made === undefined ? undefined : parseStamp(parseRecord(made))
  return sameStamp(stamp, parseStamp(config?.metadata ?? {})) ? stamp : undefined
}

function parseStamp(from: Readonly<Record<string, string>>): OwnerStamp | undefined {
  const read = (key: string): string | undefined => (Object.hasOwn(from, key) ? from[key] : undefined)
  const [controlPlane, tenant, sprite] = [read(KEY.controlPlane), read(KEY.tenant), read(KEY.sprite)]
  const [spriteUid, specHash, incarnation] = [read(KEY.spriteUid), read(KEY.specHash), read(KEY.incarnation)]
  if (read(KEY.managedBy) !== MANAGED_BY || !controlPlane || !tenant || !sprite) return undefined
  if (!spriteUid || !specHash || !/^[1-9]\d{0,14}$/.test(incarnation ?? '')) return undefined
  return { controlPlane, tenant, sprite, spriteUid, incarnation: Number(incarnation), specHash }
}

function parseRecord(text: string): Record<string, string> {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null) return {}
    return Object.fromEntries(Object.entries(value).filter(([, field]) => typeof field === 'string'))
  } catch {
    return {}
  }
}

/** Whether a name is `<sprite>-<uid8>-<incarnation>` of this stamp. */
export const isNameOf = (name: string, owner: OwnerStamp): boolean =>
  name === `${owner.sprite}-${owner.spriteUid.slice(0, 8)}-${owner.incarnation}`

/** The app of a tenant: the template with its name in it; a template without `{tenant}` is one shared app. */
export const appName = (template: string, tenant: string): string => template.replaceAll('{tenant}', tenant)

/** Whose app it is by the template; undefined for an app of somebody else's, and where all tenants share one. */
export function tenantOf(template: string, app: string): string | undefined {
  const [before, ...rest] = template.split('{tenant}')
  const after = rest.at(-1)
  if (before === undefined || after === undefined) return undefined
  // With the placeholder given twice the name stands twice: the length tells it, the template proves it.
  const nameChars = (app.length - template.length) / rest.length + '{tenant}'.length
  const tenant = app.slice(before.length, before.length + nameChars)
  return tenant !== '' && appName(template, tenant) === app ? tenant : undefined
}

/** True when all tenants share one app: nothing in it is ours by its place alone. */
export const isSharedApp = (template: string): boolean => !template.includes('{tenant}')
