/** Speaks to Firestore through the generated client of Google's SDK: deadlines on each call, no repeats behind our back. */
import { createRequire } from 'node:module'
import type { v1 } from '@google-cloud/firestore'
import {
  CallFailure,
  CODE,
  type Condition,
  type FirestoreCalls,
  type Found,
  type ListenOptions,
  type RawDocument,
  type RawWrite,
} from './calls.ts'
import type { RawTime } from './time.ts'
import { fromWire, toWire, type WireFields } from './values.ts'
import { TARGET_ID, WatchStream, type WatchMessage } from './watch-stream.ts'

/** Which database, and where it is when it is not Google's own. */
export type ConnectionOptions = {
  readonly project: string
  readonly database: string
  /** `host:port` of an emulator: no credentials, no TLS. */
  readonly emulatorHost?: string
}

type Client = InstanceType<typeof v1.FirestoreClient>
type CallOptions = NonNullable<Parameters<Client['listen']>[0]>
type Bound = {
  readonly client: Client
  readonly database: string
  readonly options: (timeoutMs?: number) => CallOptions
}

/** Each connection has a channel of its own: a new one never reuses a socket that went silent. */
const GRPC_SETTINGS = { 'grpc.use_local_subchannel_pool': 1, 'grpc-node.flow_control_window': 256 * 1024 }

/** Opens a connection; the socket is opened by its first call. The SDK is loaded now, and not before. */
export async function connectFirestore(options: ConnectionOptions): Promise<FirestoreCalls> {
  const client = await createClient(options)
  const database = `projects/${options.project}/databases/${options.database}`
  const headers = {
    'google-cloud-resource-prefix': database,
    // The emulator takes this for an administrator, whatever the rules say.
    ...(options.emulatorHost === undefined ? {} : { Authorization: 'Bearer owner' }),
  }
  const bound: Bound = {
    client,
    database,
    options: (timeoutMs) => ({
      otherArgs: { headers },
      // The adapter repeats what may be repeated: it knows which writes have been applied.
      retry: null,
      ...(timeoutMs === undefined ? {} : { timeout: timeoutMs }),
    }),
  }
  return {
    commit: (writes, timeoutMs) => commit(bound, writes, timeoutMs),
    get: (paths, timeoutMs) => get(bound, paths, timeoutMs),
    listen: (collectionGroup, listenOptions) => listen(bound, collectionGroup, listenOptions),
    close: () => client.close(),
  }
}

async function createClient({ project, emulatorHost }: ConnectionOptions): Promise<Client> {
  const sdk = await import('@google-cloud/firestore')
  // The SDK defines `v1` by a getter, which Node shows on the default export alone.
  const { FirestoreClient } = ('default' in sdk ? (sdk.default as typeof sdk) : sdk).v1
  if (emulatorHost === undefined) return new FirestoreClient({ projectId: project, ...GRPC_SETTINGS })
  const { host, port } = hostAndPort(emulatorHost)
  const sslCreds = insecureCredentials()
  return new FirestoreClient({ projectId: project, ...GRPC_SETTINGS, servicePath: host, port, sslCreds })
}

/** Credentials of a connection without TLS; they must come from the very gRPC that the SDK uses. */
function insecureCredentials(): NonNullable<
  NonNullable<ConstructorParameters<typeof v1.FirestoreClient>[0]>['sslCreds']
> {
  const ofSdk = createRequire(createRequire(import.meta.url).resolve('@google-cloud/firestore'))
  // It is a dependency of the SDK, typed by the client's own option.
  const gax = ofSdk('google-gax') as { readonly grpc: { readonly credentials: { createInsecure(): never } } }
  return gax.grpc.credentials.createInsecure()
}

function hostAndPort(text: string): { readonly host: string; readonly port: number } {
  const colon = text.lastIndexOf(':')
  return { host: text.slice(0, colon), port: Number(text.slice(colon + 1)) }
}

const documentName = ({ database }: Bound, path: string): string => `${database}/documents/${path}`
const pathOf = ({ database }: Bound, name: string): string => name.slice(`${database}/documents/`.length)

async function commit(bound: Bound, writes: readonly RawWrite[], timeoutMs: number): Promise<readonly RawTime[]> {
  try {
    const request = { database: bound.database, writes: writes.map((write) => wireWrite(bound, write)) }
    const [response] = await bound.client.commit(request, bound.options(timeoutMs))
    const fallback = rawTime(response.commitTime)
    return writes.map((_write, index) => rawTime(response.writeResults?.[index]?.updateTime) ?? fallback ?? EPOCH)
  } catch (error) {
    throw failureOf(error)
  }
}

const EPOCH: RawTime = { seconds: 0, nanos: 0 }

type WireWrite = NonNullable<NonNullable<Parameters<Client['commit']>[0]>['writes']>[number]

function wireWrite(bound: Bound, write: RawWrite): WireWrite {
  const name = documentName(bound, write.path)
  const condition = conditionOf(write.condition)
  // Our form of values is a part of the client's, which has more kinds of numbers.
  const what = write.type === 'Set' ? { update: { name, fields: toWire(write.fields) as never } } : { delete: name }
  return condition === undefined ? what : { ...what, currentDocument: condition }
}

const conditionOf = (condition: Condition): { exists: boolean } | { updateTime: RawTime } | undefined =>
  condition === 'None' ? undefined : condition === 'Absent' ? { exists: false } : { updateTime: condition }

function get(bound: Bound, paths: readonly string[], timeoutMs: number): Promise<Found> {
  return new Promise((resolve, reject) => {
    const documents = new Map<string, RawDocument>()
    let readTime = EPOCH
    const request = { database: bound.database, documents: paths.map((path) => documentName(bound, path)) }
    const stream = bound.client.batchGetDocuments(request, bound.options(timeoutMs))
    stream.on('data', (reply: GetReply) => {
      readTime = rawTime(reply.readTime) ?? readTime
      if (reply.found === undefined || reply.found === null) return
      const document = rawDocument(bound, reply.found)
      documents.set(document.path, document)
    })
    stream.on('error', (error: unknown) => reject(failureOf(error)))
    stream.on('end', () =>
      readTime === EPOCH
        ? reject(new CallFailure(CODE.Unavailable, 'the stream ended without an answer'))
        : resolve({ documents, readTime }),
    )
  })
}

function listen(bound: Bound, collectionGroup: string, options: ListenOptions): () => void {
  let isOver = false
  let end: () => void = () => {}
  const finish = (): void => {
    isOver = true
    end()
  }
  const fail = (failure: CallFailure): void => {
    if (isOver) return
    finish()
    options.onFailure(failure)
  }
  const open = (resumeToken: Uint8Array | undefined): void => {
    const watch = new WatchStream(options.known, resumeToken !== undefined)
    const stream = bound.client.listen(bound.options())
    let isCurrent = true
    end = () => {
      isCurrent = false
      // A call that has not gone out yet is only kept from it by this; the rest would let it be sent, and stay open.
      stream.cancel()
      stream.end()
      stream.destroy()
    }
    stream.on('data', (reply: ListenReply) => {
      if (!isCurrent) return
      const outcome = watch.take(messageOf(bound, reply))
      if (outcome.type === 'Snapshot') options.onSnapshot(outcome.snapshot)
      if (outcome.type === 'Failed') fail(new CallFailure(outcome.code, outcome.message))
      if (outcome.type === 'Mismatch') {
        end()
        open(undefined)
      }
    })
    stream.on('error', (error: unknown) => isCurrent && fail(failureOf(error)))
    stream.on('end', () => isCurrent && fail(new CallFailure(CODE.Unavailable, 'the stream ended')))
    stream.write({ database: bound.database, addTarget: targetOf(bound, collectionGroup, resumeToken) })
  }
  open(options.resumeToken)
  return finish
}

const targetOf = (bound: Bound, collectionId: string, resumeToken: Uint8Array | undefined) => ({
  query: {
    parent: `${bound.database}/documents`,
    structuredQuery: { from: [{ collectionId, allDescendants: true }] },
  },
  targetId: TARGET_ID,
  ...(resumeToken === undefined ? {} : { resumeToken }),
})

type WireTime = { readonly seconds?: unknown; readonly nanos?: unknown } | null
type WireDocument = {
  readonly name?: string | null
  readonly fields?: WireFields | null
  readonly updateTime?: WireTime
}
type GetReply = { readonly found?: WireDocument | null; readonly readTime?: WireTime }
type ListenReply = {
  readonly targetChange?: {
    readonly targetChangeType?: string | null
    readonly targetIds?: readonly number[] | null
    readonly cause?: { readonly code?: number | null; readonly message?: string | null } | null
    readonly resumeToken?: Uint8Array | null
    readonly readTime?: WireTime
  } | null
  readonly documentChange?: {
    readonly document?: WireDocument | null
    readonly removedTargetIds?: readonly number[] | null
  } | null
  readonly documentDelete?: { readonly document?: string | null; readonly readTime?: WireTime } | null
  readonly documentRemove?: { readonly document?: string | null; readonly readTime?: WireTime } | null
  readonly filter?: { readonly count?: number | null } | null
}

function messageOf(bound: Bound, reply: ListenReply): WatchMessage {
  const { targetChange: target, documentChange: changed, filter } = reply
  if (target !== undefined && target !== null) return targetMessage(target)
  const removed = reply.documentDelete ?? reply.documentRemove
  if (removed !== undefined && removed !== null) {
    const at = reply.documentDelete === removed ? rawTime(removed.readTime) : undefined
    return { type: 'Removed', path: pathOf(bound, removed.document ?? ''), ...(at === undefined ? {} : { at }) }
  }
  if (changed?.document !== undefined && changed.document !== null) {
    const document = rawDocument(bound, changed.document)
    const isGone = changed.removedTargetIds?.includes(TARGET_ID) === true
    return isGone ? { type: 'Removed', path: document.path } : { type: 'Changed', document }
  }
  return filter === undefined || filter === null ? { type: 'Foreign' } : { type: 'Filter', count: filter.count ?? 0 }
}

function targetMessage(target: NonNullable<ListenReply['targetChange']>): WatchMessage {
  const readTime = rawTime(target.readTime)
  const { cause } = target
  return {
    type: 'Target',
    change: target.targetChangeType ?? 'NO_CHANGE',
    isForAll: (target.targetIds ?? []).length === 0,
    resumeToken: target.resumeToken ?? new Uint8Array(),
    ...(readTime === undefined ? {} : { readTime }),
    ...(cause === undefined || cause === null
      ? {}
      : { failure: { code: cause.code ?? CODE.Unknown, message: cause.message ?? '' } }),
  }
}

/** Its fields are read when they are asked for: a listener is often sent again what it knows. */
function rawDocument(bound: Bound, { name, fields, updateTime }: WireDocument): RawDocument {
  let plain: RawDocument['fields'] | undefined
  return {
    path: pathOf(bound, name ?? ''),
    get fields() {
      return (plain ??= fromWire(fields))
    },
    updateTime: rawTime(updateTime) ?? EPOCH,
  }
}

const rawTime = (time: WireTime | undefined): RawTime | undefined =>
  time === undefined || time === null
    ? undefined
    : { seconds: Number(time.seconds ?? 0), nanos: Number(time.nanos ?? 0) }

/** What a call failed with: gRPC's code, or Unauthenticated where no credentials were found to call with. */
function failureOf(error: unknown): CallFailure {
  if (error instanceof CallFailure) return error
  const message = error instanceof Error ? error.message : String(error)
  const code =
    typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'number'
      ? error.code
      : /credential/i.test(message)
        ? CODE.Unauthenticated
        : CODE.Unknown
  return new CallFailure(code, message, { cause: error })
}
