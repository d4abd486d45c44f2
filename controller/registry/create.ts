/** Creates objects: namespace, defaults, stamps, checks, admission, commit. */
import { hasReason } from '../api/errors.ts'
import { generatedName } from '../api/names.ts'
import type { KubeObject, ManagedFieldsEntry } from '../api/object.ts'
import type { ResourceDefinition } from '../api/resource.ts'
import { admit } from './admit.ts'
import { bornCauses } from './check.ts'
import { entriesIn, ownedObject, withEntries } from './owners.ts'
import { storeKeyOf, type RegistryOptions } from './ports.ts'
import { alreadyExists, badRequest, forbidden, invalid, notFound } from './refusals.ts'
import { objectOf } from './records.ts'
import type { WriteContext } from './registry.ts'
import { checkNamespacePath, readRequest, type Request } from './request.ts'
import { bornObject } from './stamp.ts'
import { fromStore } from './store-errors.ts'
import { commitStep, dryRunResult, foretell, noteUnknown } from './write.ts'

/** Names that are tried for a generateName before AlreadyExists is told, as kube-apiserver does. */
const GENERATED_NAMES_MAX = 8

/** Creates an object of the resource; see the Registry port. */
export async function create(
  ports: RegistryOptions,
  resource: ResourceDefinition,
  write: { readonly namespace: string; readonly body: unknown; readonly context: WriteContext },
): Promise<KubeObject> {
  const { namespace, context } = write
  context.signal?.throwIfAborted()
  const request = readRequest(resource, write.body)
  checkNamespacePath(resource, namespace, request.meta)
  if (request.seen.resourceVersion !== undefined)
    throw badRequest('resourceVersion should not be set on objects to be created')
  noteUnknown(request.unknown, context, { resource, isPatch: false })
  const requested = entriesIn(write.body)
  for (let tries = 1; ; tries++) {
    try {
      return await createOnce(ports, resource, { namespace, request, context, entries: { requested } })
    } catch (error) {
      const isTaken = request.meta.name === undefined && hasReason(error, 'AlreadyExists')
      if (!isTaken || tries >= GENERATED_NAMES_MAX) throw error
    }
  }
}

/** Creates the object that a configuration applied to nothing makes; its managedFields are given. */
export const createApplied = (
  ports: RegistryOptions,
  resource: ResourceDefinition,
  applied: Omit<Attempt, 'entries'> & { readonly managedFields: readonly ManagedFieldsEntry[] | undefined },
): Promise<KubeObject> => {
  const { managedFields, ...attempt } = applied
  checkNamespacePath(resource, attempt.namespace, attempt.request.meta)
  return createOnce(ports, resource, { ...attempt, entries: { managedFields } })
}

type Attempt = {
  readonly namespace: string
  readonly request: Request
  readonly context: WriteContext
  /** managedFields: what the request says of them, or, after an apply, what they are. */
  readonly entries:
    | { readonly requested: unknown }
    | { readonly managedFields: readonly ManagedFieldsEntry[] | undefined }
}

async function createOnce(
  ports: RegistryOptions,
  resource: ResourceDefinition,
  { namespace, request, context, entries }: Attempt,
): Promise<KubeObject> {
  const name = nameOf(ports, request)
  await checkNamespaceExists(ports, resource, { namespace, name })
  const birth = { name, namespace, uid: ports.entropy.uuid(), nowMs: ports.clock.now() }
  const born = bornObject(resource, request, birth)
  const object =
    'managedFields' in entries
      ? withEntries(born, entries.managedFields)
      : ownedObject(ports, resource, { object: born, requested: entries.requested, context })
  const causes = bornCauses(resource, object)
  if (causes.length > 0) throw invalid(resource, name, causes)
  await admit(ports, resource, { operation: 'CREATE', object, actor: context.actor })
  const foretold = (): void => foretell(ports, context, { resource, operation: 'CREATE', object })
  const giveBack = await ports.quota?.take(resource, { namespace, name }, context)
  if (!context.dryRun) {
    try {
      const created = await commitStep(ports, { type: 'Put', resource, object, read: '', held: context })
      foretold()
      return created
    } finally {
      giveBack?.()
    }
  }
  const taken = await fromStore(resource, name, () => ports.store.read(storeKeyOf(resource, { namespace, name })))
  if (taken !== undefined) throw alreadyExists(resource, name)
  foretold()
  return dryRunResult(object)
}

function nameOf(ports: RegistryOptions, request: Request): string {
  const { name, generateName } = request.meta
  return name ?? (generateName === undefined ? '' : generatedName(generateName, ports.entropy.bytes(5)))
}

/** A namespaced object needs a namespace that exists and is not going. Without a Namespace resource nothing is checked. */
async function checkNamespaceExists(
  ports: RegistryOptions,
  resource: ResourceDefinition,
  at: { readonly namespace: string; readonly name: string },
): Promise<void> {
  if (resource.scope === 'Cluster') return
  const namespaces = ports.resources.find((known) => known.group === '' && known.plural === 'namespaces')
  if (namespaces === undefined) return
  const key = storeKeyOf(namespaces, { namespace: '', name: at.namespace })
  const read = () => fromStore(namespaces, at.namespace, () => ports.store.read(key))
  let record = await read()
  if (record === undefined && (await ports.makeNamespace?.(at.namespace)) === true) record = await read()
  if (record === undefined) throw notFound(namespaces, at.namespace)
  if (objectOf(record).metadata.deletionTimestamp === undefined) return
  const message = `unable to create new content in namespace ${at.namespace} because it is being terminated`
  throw forbidden(resource, at.name, [{ reason: 'NamespaceTerminating', message, field: 'metadata.namespace' }])
}
