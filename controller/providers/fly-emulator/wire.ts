/** Pure: the emulator's answers as JSON, in the shapes that the Machines API gives. */
import { microTimestamp } from '../../../system/timestamp.ts'
import type { EmulatedApp, EmulatedMachine, MachineHold } from './model.ts'

/** What a route answers: JSON, else text, else an empty body. */
export type Answer = {
  readonly status: number
  readonly body?: unknown
  readonly text?: string
  readonly headers?: Readonly<Record<string, string>>
}

/** A success. */
export const answer = (body: unknown, status = 200): Answer => ({ status, body })

/** A refusal in Fly's form. */
export const refusalAnswer = (status: number, error: string, code?: string): Answer => ({
  status,
  body: { error, ...(code === undefined ? {} : { status: code }) },
})

/** A machine; a `summary` leaves out config, events and host_status; `nonce` is that of a machine that is born held. */
export function machineJson(
  machine: EmulatedMachine,
  options: { readonly summary?: boolean; readonly nonce?: string | undefined } = {},
): object {
  const isReachable = machine.hostStatus === 'ok'
  const full = {
    config: isReachable ? machine.config : null,
    ...(isReachable ? {} : { incomplete_config: { image: machine.config.image, metadata: machine.config.metadata } }),
    events: machine.events.slice(0, 20),
    checks: [],
    host_status: machine.hostStatus,
  }
  return {
    id: machine.id,
    name: machine.name,
    state: machine.state,
    region: machine.region,
    instance_id: machine.instanceId,
    version: machine.instanceId,
    private_ip: machine.privateIp,
    created_at: microTimestamp(machine.createdAtMs),
    updated_at: microTimestamp(machine.updatedAtMs),
    image_ref: imageRef(machine),
    cordoned: machine.cordoned ?? false,
    ...(options.nonce === undefined ? {} : { nonce: options.nonce }),
    ...(options.summary ? {} : full),
  }
}

/** A row of the organization's feed; a `summary` has no config. */
export const feedRow = (machine: EmulatedMachine, options: { readonly summary?: boolean } = {}): object => ({
  id: machine.id,
  name: machine.name,
  app_name: machine.app,
  state: machine.state,
  region: machine.region,
  version: machine.instanceId,
  private_ip: machine.privateIp,
  created_at: microTimestamp(machine.createdAtMs),
  updated_at: microTimestamp(machine.updatedAtMs),
  ...(options.summary
    ? {}
    : { config: { image: machine.config.image, guest: machine.config.guest, metadata: machine.config.metadata } }),
})

/** An app. */
export const appJson = (app: EmulatedApp, machineCount: number): object => ({
  id: app.id,
  name: app.name,
  status: machineCount === 0 ? 'pending' : 'deployed',
  network: app.network,
  machine_count: machineCount,
  volume_count: app.volumes?.length ?? 0,
  internal_numeric_id: Number.parseInt(app.id.slice(0, 8), 16),
  organization: { name: app.orgSlug, slug: app.orgSlug, internal_numeric_id: 1 },
})

/** Fly's lease envelope; acquiring and reading both show the nonce. */
export const holdJson = (hold: MachineHold, instanceId: string): object => ({
  status: 'success',
  data: {
    nonce: hold.nonce,
    expires_at: Math.floor(hold.expiresAtMs / 1_000),
    owner: hold.owner,
    description: hold.description,
    version: instanceId,
  },
})

function imageRef(machine: EmulatedMachine): object {
  const { image } = machine.config
  const [bare = '', digest = machine.digest] = image.split('@')
  const slash = bare.indexOf('/')
  const hasRegistry = slash > 0 && /[.:]/.test(bare.slice(0, slash))
  const path = hasRegistry ? bare.slice(slash + 1) : bare
  const [repository = '', tag = 'latest'] = path.split(':')
  return {
    registry: hasRegistry ? bare.slice(0, slash) : 'registry-1.docker.io',
    repository,
    tag,
    digest,
    labels: {},
  }
}
