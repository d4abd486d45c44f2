/** The objects that an offline check may lean on: the built-in plans. */
import { API_VERSION } from '../api/define-kind.ts'
import type { KubeObject } from '../api/object.ts'
import { BUILTIN_PLANS } from '../kinds/plan/builtin.ts'
import type { CurrentObjects } from './admit-batch.ts'

/** The plans that every control plane has at its first start. */
export const builtinPlanObjects = (): readonly KubeObject[] =>
  [...BUILTIN_PLANS].map(([name, spec]) => ({
    apiVersion: API_VERSION,
    kind: 'Plan',
    metadata: { name, uid: '', resourceVersion: '', generation: 1, creationTimestamp: '1970-01-01T00:00:00Z' },
    spec,
  }))

/** What is there when nothing is asked: these objects. */
export const currentFrom = (objects: readonly KubeObject[]): CurrentObjects => ({
  get: (kind, { namespace, name }) =>
    Promise.resolve(
      objects.find(
        (object) =>
          object.kind === kind.kind && object.metadata.name === name && (object.metadata.namespace ?? '') === namespace,
      ),
    ),
  list: (kind, namespace) =>
    Promise.resolve(
      objects.filter(
        (object) => object.kind === kind.kind && (namespace === '' || object.metadata.namespace === namespace),
      ),
    ),
})
