/** The product API for apps: submit work, look at it, list a tenant's sprites. */
import { createHash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { z } from 'zod'
import { randomHex, type Entropy } from '../../system/entropy.ts'
import type { Log } from '../../system/log.ts'
import { hasReason } from '../api/errors.ts'
import type { Client } from '../client/client.ts'
import { spriteKind, type Sprite } from '../kinds/sprite/schema.ts'
import { workKind, type Work } from '../kinds/work/schema.ts'
import { readJson } from './body.ts'
import { CoordinatorError } from './fault.ts'
import { bearerOf } from './identity.ts'
import { getOrNothing } from './reads.ts'
import { sendFault, sendJson } from './reply.ts'

/** Who calls for an app, as its credential says; tenants are never taken from the path. */
export type AppCaller = {
  readonly name: string
  /** What it may do in a tenant; undefined where the tenant does not exist for it. */
  readonly roleIn: (tenant: string) => 'admin' | 'member' | 'viewer' | undefined
}

/** What the product API needs of the process. */
export type ProductPorts = {
  readonly client: Client
  readonly entropy: Entropy
  readonly log: Log
  readonly authenticate: (token: string) => Promise<AppCaller | undefined>
  /** Told what comes to be known of a request, piece by piece, for the audit log. */
  readonly note?: (request: IncomingMessage, known: ProductNote) => void
}

/** What comes to be known of a request: who calls, which work was made of it, why it was refused. */
export type ProductNote = { readonly caller?: AppCaller; readonly work?: Work; readonly fault?: CoordinatorError }

/** What an app may say of new work: chains and cancelling are the control plane's own. */
const submission = workKind.spec.omit({ parent: true, cancelled: true }).strict()

type Call = {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly caller: AppCaller
  readonly tenant: string
  readonly signal: AbortSignal
}

/** Answers /v1/tenants/…; false for any other path. Never throws. */
export function createProductApi(ports: ProductPorts): {
  route(request: IncomingMessage, response: ServerResponse, url: URL): Promise<boolean>
} {
  return {
    route: async (request, response, url) => {
      const path = pathOf(url.pathname)
      if (path === undefined) return false
      const gone = new AbortController()
      const onClose = (): void => gone.abort(new Error('The caller went away'))
      response.once('close', onClose)
      try {
        const caller = await admit(ports, request, path.tenant)
        await answer(ports, { request, response, caller, tenant: path.tenant, signal: gone.signal }, path)
      } catch (error) {
        const fault = faultOf(ports, error)
        ports.note?.(request, { fault })
        sendFault(response, fault)
      } finally {
        response.off('close', onClose)
      }
      return true
    },
  }
}

type Path = { readonly tenant: string; readonly resource: 'work' | 'sprites'; readonly name: string | undefined }

/** Names are DNS labels or subdomains: what is none is no path of ours. */
function pathOf(pathname: string): Path | undefined {
  const match = /^\/v1\/tenants\/([a-z0-9][-a-z0-9]{0,39})\/(work|sprites)(?:\/([a-z0-9][-.a-z0-9]{0,252}))?$/.exec(
    pathname,
  )
  if (match?.[1] === undefined) return undefined
  return { tenant: match[1], resource: match[2] === 'work' ? 'work' : 'sprites', name: match[3] }
}

/** The caller; a tenant that the credential is not for is as one that does not exist. */
async function admit(ports: ProductPorts, request: IncomingMessage, tenant: string): Promise<AppCaller> {
  const token = bearerOf(request)
  const caller = token === undefined ? undefined : await ports.authenticate(token)
  if (caller === undefined) throw new CoordinatorError('Unauthorized', 'Send a token')
  ports.note?.(request, { caller })
  if (caller.roleIn(tenant) === undefined) throw notFound('tenant', tenant)
  return caller
}

const notFound = (what: string, name: string): CoordinatorError =>
  new CoordinatorError('NotFound', `Name a ${what} that exists, there is no "${name}"`)

async function answer(ports: ProductPorts, call: Call, path: Path): Promise<void> {
  const { request, response } = call
  const verb = `${request.method} ${path.resource}${path.name === undefined ? '' : '/'}`
  if (verb === 'POST work') return submit(ports, call)
  if (verb === 'GET work/') {
    const key = { namespace: path.tenant, name: path.name ?? '' }
    const work = await getOrNothing(ports.client, { kind: workKind, key, signal: call.signal })
    if (work === undefined) throw notFound('work', key.name)
    return sendJson(response, 200, workView(work))
  }
  if (verb === 'GET sprites') {
    const { items } = await ports.client.list(spriteKind, { namespace: path.tenant }, call.signal)
    return sendJson(response, 200, { sprites: items.map(spriteView) })
  }
  throw new CoordinatorError('MethodNotAllowed', `Use another method than "${request.method}"`)
}

/** 202 once the work is durable; the same idempotency key is the same work, however often it is sent. */
async function submit(ports: ProductPorts, call: Call): Promise<void> {
  if (call.caller.roleIn(call.tenant) === 'viewer')
    throw new CoordinatorError('Forbidden', 'Ask a member, a viewer submits no work')
  const spec = await readJson(call.request, submission)
  const namespace = call.tenant
  const name = `work-${spec.idempotencyKey === undefined ? randomHex(ports.entropy, 8) : keyHash(namespace, spec.idempotencyKey)}`
  const work = await createOnce(ports, { namespace, name, spec: { ...spec, cancelled: false } }, call.signal)
  ports.note?.(call.request, { work })
  ports.log.info({ tenant: namespace, work: name, caller: call.caller.name }, 'work was submitted')
  call.response.setHeader('location', `/v1/tenants/${namespace}/work/${encodeURIComponent(name)}`)
  sendJson(call.response, 202, workView(work))
}

const keyHash = (tenant: string, key: string): string =>
  createHash('sha256')
    .update(JSON.stringify([tenant, key]))
    .digest('hex')
    .slice(0, 16)

async function createOnce(
  ports: ProductPorts,
  wanted: { readonly namespace: string; readonly name: string; readonly spec: z.infer<typeof workKind.spec> },
  signal: AbortSignal,
): Promise<Work> {
  const { namespace, name, spec } = wanted
  try {
    return await ports.client.create(workKind, { metadata: { namespace, name }, spec }, signal)
  } catch (error) {
    // A tenant that may have no more work has what it has: it is found, before it is taken for more.
    if (!hasReason(error, 'AlreadyExists', 'Forbidden')) throw error
    const known = await getOrNothing(ports.client, { kind: workKind, key: { namespace, name }, signal })
    if (known === undefined) throw error
    return known
  }
}

const workView = ({ metadata, spec, status }: Work): object => ({
  name: metadata.name,
  tenant: metadata.namespace,
  createdAt: metadata.creationTimestamp,
  spec,
  phase: status?.phase ?? 'Pending',
  ...(status === undefined ? {} : { status }),
})

const spriteView = ({ metadata, spec, status }: Sprite): object => ({
  name: metadata.name,
  agentType: spec.agentType,
  phase: status?.phase ?? 'Pending',
  ...(status?.currentTask === undefined ? {} : { currentTask: status.currentTask }),
  blockers: status?.blockers ?? [],
})

function faultOf(ports: Pick<ProductPorts, 'log'>, error: unknown): CoordinatorError {
  if (error instanceof CoordinatorError) return error
  if (hasReason(error, 'NotFound')) return new CoordinatorError('NotFound', error.message, {}, { cause: error })
  if (hasReason(error, 'Forbidden')) return new CoordinatorError('Forbidden', error.message, {}, { cause: error })
  if (hasReason(error, 'Invalid', 'BadRequest')) {
    const issues = (error.details.causes ?? []).slice(0, 20).map((one) => `${one.field ?? 'body'}: ${one.message}`)
    return new CoordinatorError('Invalid', error.message.slice(0, 1_000), { issues }, { cause: error })
  }
  ports.log.error({ error }, 'request failed')
  return new CoordinatorError('Unavailable', 'Try again later', { retryAfterMs: 1_000 }, { cause: error })
}
