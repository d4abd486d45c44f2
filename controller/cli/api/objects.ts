/** Reads and writes objects of any served kind over HTTP, as kubectl does. */
import { hasReason } from '../../api/errors.ts'
import type { JsonObject, Key, KubeObject } from '../../api/object.ts'
import { isJsonObject } from '../../api/patches.ts'
import type { ResourceDefinition } from '../../api/resource.ts'
import type { Connection } from './connection.ts'
import { createHttpClient, type HttpClient, type OnWarning } from './http.ts'

/** The field manager of what spritectl writes. */
export const FIELD_MANAGER = 'spritectl'

/** What is asked of a resource's path: group, version, plural and scope. */
export type Target = Pick<ResourceDefinition, 'group' | 'version' | 'plural' | 'scope'>

/** The path of a collection; of one object with a name. An empty namespace is all of them. Pure. */
export function pathOf(target: Target, key: { readonly namespace?: string; readonly name?: string } = {}): string {
  const root = target.group === '' ? '/api' : `/apis/${target.group}`
  const namespace =
    target.scope === 'Cluster' || (key.namespace ?? '') === ''
      ? ''
      : `/namespaces/${encodeURIComponent(key.namespace ?? '')}`
  const name = key.name === undefined ? '' : `/${encodeURIComponent(key.name)}`
  return `${root}/${target.version}${namespace}/${target.plural}${name}`
}

/** How an object is written. */
export type WriteOptions = { readonly isDryRun?: boolean }

/** Objects of the API by resource and name, as the commands use them. */
export type ObjectClient = {
  readonly http: HttpClient
  /** Undefined when there is none. */
  readonly find: (target: Target, key: Key) => Promise<KubeObject | undefined>
  /** All of them, page by page; an empty namespace is all of them. */
  readonly list: (target: Target, options?: ListOptions) => Promise<readonly KubeObject[]>
  readonly create: (target: Target, object: JsonObject, options?: WriteOptions) => Promise<KubeObject>
  readonly patch: (target: Target, key: Key, patch: JsonObject, options?: WriteOptions) => Promise<KubeObject>
  readonly replace: (target: Target, key: Key, object: JsonObject, options?: WriteOptions) => Promise<KubeObject>
  readonly delete: (target: Target, key: Key, options?: WriteOptions) => Promise<void>
  readonly close: () => void
}

/** What of a collection is listed. */
export type ListOptions = {
  readonly namespace?: string
  readonly labelSelector?: string | undefined
  readonly fieldSelector?: string | undefined
}

const PAGE_SIZE = '500'
/** Pages of one list at most: half a million objects. */
const PAGES_MAX = 1_000

/** A client of objects; close it when done. `onWarning` takes what the server says of writes. */
export function createObjectClient(connection: Connection, onWarning?: OnWarning): ObjectClient {
  const http = createHttpClient(connection, onWarning)
  const write = (options: WriteOptions = {}) => ({
    fieldManager: FIELD_MANAGER,
    fieldValidation: 'Strict',
    dryRun: options.isDryRun === true ? 'All' : undefined,
  })
  // What the API answers is an object of it: the server is trusted, it has the CA of the kubeconfig.
  const asObject = (answer: unknown): KubeObject => answer as KubeObject
  return {
    http,
    close: http.close,
    find: async (target, key) => {
      try {
        return asObject(await http.json(pathOf(target, key)))
      } catch (error) {
        if (hasReason(error, 'NotFound')) return undefined
        throw error
      }
    },
    list: (target, options) => listAll(http, target, options),
    create: async (target, object, options) => {
      const path = pathOf(target, { namespace: namespaceOf(object) })
      return asObject(await http.json(path, { method: 'POST', body: object, query: write(options) }))
    },
    patch: async (target, key, patch, options) =>
      asObject(
        await http.json(pathOf(target, key), {
          method: 'PATCH',
          body: patch,
          contentType: 'application/merge-patch+json',
          query: write(options),
        }),
      ),
    replace: async (target, key, object, options) =>
      asObject(await http.json(pathOf(target, key), { method: 'PUT', body: object, query: write(options) })),
    delete: async (target, key, options) => {
      const body = { kind: 'DeleteOptions', apiVersion: 'v1', propagationPolicy: 'Background' }
      const query = { dryRun: options?.isDryRun === true ? 'All' : undefined }
      await http.json(pathOf(target, key), { method: 'DELETE', body, query })
    },
  }
}

const namespaceOf = (object: JsonObject): string => {
  const { metadata } = object
  const namespace = isJsonObject(metadata) ? metadata['namespace'] : undefined
  return typeof namespace === 'string' ? namespace : ''
}

async function listAll(http: HttpClient, target: Target, options: ListOptions = {}): Promise<readonly KubeObject[]> {
  const { namespace = '', labelSelector, fieldSelector } = options
  const found: KubeObject[] = []
  let next: string | undefined
  for (let page = 0; page < PAGES_MAX; page++) {
    const query = { limit: PAGE_SIZE, continue: next, labelSelector, fieldSelector }
    // As the API answers every list.
    const list = (await http.json(pathOf(target, { namespace }), { query })) as {
      readonly apiVersion: string
      readonly kind: string
      readonly items: readonly KubeObject[]
      readonly metadata: { readonly continue?: string }
    }
    const kind = list.kind.replace(/List$/, '')
    found.push(...list.items.map((item) => ({ ...item, apiVersion: list.apiVersion, kind })))
    next = list.metadata.continue
    if (next === undefined || next === '') break
  }
  return found
}
