/** Shows the definitions of our kinds as CustomResourceDefinitions: what the process serves, whoever declares it. */
import type { Clock } from '../../system/clock.ts'
import { resourceName, type KindDefinition } from '../api/define-kind.ts'
import { canonicalJson } from '../api/digest.ts'
import { ApiError } from '../api/errors.ts'
import { asJson, type Json, type Key, type KubeObject } from '../api/object.ts'
import { isJsonObject, jsonEqual, jsonPatch, mergePatch } from '../api/patches.ts'
import { crdOf, resourceOf } from '../api/resource-of.ts'
import { alreadyExists, badRequest } from '../registry/refusals.ts'
import type { PatchType, WriteContext } from '../registry/registry.ts'
import { apiVersionOf, checkDepth } from '../registry/request.ts'
import type { View } from '../registry/views.ts'
import { crdResource } from './crd-resource.ts'
import { derivedUid } from './derived-uid.ts'
import { fixedCollection } from './fixed-collection.ts'

/** They are as old as the API: a time that moved with each start would be a change to whoever compares. */
const SINCE = '2026-01-01T00:00:00Z'

/** The view of these kinds' definitions. */
export function crdView(kinds: readonly KindDefinition[], clock: Clock): View {
  const objects = kinds.map(definitionOf)
  const fixed = fixedCollection({ resource: crdResource, objects, clock })
  const names = new Set(objects.map((object) => object.metadata.name))

  const untaken = (served: KubeObject, wanted: Json | undefined, context: WriteContext): KubeObject => {
    if (!isSame(served, wanted)) context.warn?.(builtIn(served.metadata.name))
    return served
  }

  return {
    ...fixed,
    create: async (_namespace, body) => {
      const name = nameIn(body)
      throw names.has(name) ? alreadyExists(crdResource, name) : foreign(name)
    },
    patch: async (key, patch, context) => {
      const served = await fixed.get(key)
      return untaken(served, patched(served, patch), context)
    },
    apply: async (key, body, context) => {
      checkConfig(key, body)
      if (!names.has(key.name)) throw foreign(key.name)
      const served = await fixed.get(key)
      // Checked above: a JSON object.
      return { object: untaken(served, mergePatch(asJson(served), body as Json), context), created: false }
    },
  }
}

/** The definition of a kind, as a cluster that has long taken it would give it. */
function definitionOf(kind: KindDefinition): KubeObject {
  const crd = crdOf(resourceOf(kind), kind.reasons)
  const { metadata, spec, ...type } = crd
  return {
    ...type,
    metadata: {
      ...metadata,
      annotations: { [LAST_APPLIED]: appliedText({ ...crd, metadata: { annotations: {}, ...metadata } }) },
      uid: derivedUid(crdResource.plural, metadata.name),
      // The collection puts its own in.
      resourceVersion: '1',
      generation: 1,
      creationTimestamp: SINCE,
    },
    spec: { ...spec, conversion: { strategy: 'None' } },
    status: {
      acceptedNames: spec.names,
      conditions: [
        { ...ACCEPTED, lastTransitionTime: SINCE },
        { ...ESTABLISHED, lastTransitionTime: SINCE },
      ],
      storedVersions: [kind.version],
    },
  }
}

/** What kubectl applied last: with it, applying crds/ from a client finds nothing to do, and does not say otherwise. */
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration'

/** As kubectl writes it: keys in order, a line break at the end, and what HTML might take for markup escaped. */
const appliedText = (crd: object): string =>
  `${canonicalJson(crd).replaceAll(/[<>&\u2028\u2029]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)}\n`

const ACCEPTED = { type: 'NamesAccepted', status: 'True', reason: 'NoConflicts', message: 'no conflicts found' }
const ESTABLISHED = {
  type: 'Established',
  status: 'True',
  reason: 'InitialNamesAccepted',
  message: 'the initial names have been accepted',
}

function patched(served: KubeObject, patch: { readonly type: PatchType; readonly body: unknown }): Json {
  checkDepth(patch.body)
  if (patch.type === 'json') {
    const result = jsonPatch(asJson(served), patch.body)
    if (!result.ok) throw new ApiError(result.error.reason, result.error.message)
    return result.value
  }
  if (!isJsonObject(patch.body)) throw badRequest('Cannot read the patch: a JSON object is expected')
  return mergePatch(asJson(served), patch.body)
}

/** Notes of tools, such as what kubectl applied last, say nothing of the definition. */
function isSame(served: KubeObject, wanted: Json | undefined): boolean {
  if (!isJsonObject(wanted)) return false
  const metadata = isJsonObject(wanted['metadata']) ? wanted['metadata'] : {}
  return jsonEqual(wanted['spec'], served.spec) && jsonEqual(metadata['labels'] ?? {}, served.metadata.labels ?? {})
}

function nameIn(body: unknown): string {
  const metadata = isJsonObject(body) ? body['metadata'] : undefined
  const name = isJsonObject(metadata) ? metadata['name'] : undefined
  if (typeof name === 'string') return name
  throw badRequest('Cannot read the CustomResourceDefinition: metadata.name is expected')
}

function checkConfig(key: Key, body: unknown): void {
  checkDepth(body)
  if (!isJsonObject(body)) throw badRequest('Cannot read the body: a JSON object is expected')
  if (body['apiVersion'] !== apiVersionOf(crdResource) || body['kind'] !== crdResource.kind)
    throw badRequest(`Cannot apply the body: ${apiVersionOf(crdResource)} ${crdResource.kind} is expected`)
  if (nameIn(body) !== key.name)
    throw badRequest(`Cannot apply "${nameIn(body)}": its name does not match the path, which says "${key.name}"`)
}

const builtIn = (name: string): string =>
  `${resourceName(crdResource)} "${name}" is built into the control plane: what was sent differs from it and was not taken`

const foreign = (name: string): ApiError =>
  new ApiError(
    'MethodNotAllowed',
    `Cannot define "${name.slice(0, 253)}": this control plane serves the kinds that are built into it, and no others`,
    { name: name.slice(0, 253), group: crdResource.group, kind: crdResource.plural },
  )
