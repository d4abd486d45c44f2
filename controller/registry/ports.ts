/** What the rooms of the registry share: the store, the clock, the served resources, and where objects lie. Pure. */
import type { Clock } from '../../system/clock.ts'
import type { Entropy } from '../../system/entropy.ts'
import type { Log } from '../../system/log.ts'
import type { Metrics } from '../../system/metrics.ts'
import type { Key } from '../api/object.ts'
import type { ResourceDefinition } from '../api/resource.ts'
import { resourceName } from '../api/define-kind.ts'
import type { Forecast } from './forecast.ts'
import type { Quota } from './quota.ts'
import type { Store, StoreKey } from '../store/store.ts'

/** What a registry is made from. */
export type RegistryOptions = {
  readonly store: Store
  /** Every resource to serve, in order of discovery; a Namespace among them is checked for by namespaced creates. */
  readonly resources: readonly ResourceDefinition[]
  readonly clock: Clock
  readonly entropy: Entropy
  /** Agent types that have a built-in persona, for admission. */
  readonly builtinAgentTypes: ReadonlySet<string>
  /**
   * Asked when an object comes for a namespace that does not exist: true when it has made it. So a tenant and what it
   * owns can be applied in one go.
   */
  readonly makeNamespace?: (name: string) => Promise<boolean>
  /** Bounds how many objects there may be. Absent: as many as anybody makes. */
  readonly quota?: Quota
  /**
   * As kube-apiserver, to the letter: a status whose writer names no observedGeneration goes on saying that nobody has
   * seen the object. Default false; the differential run against a genuine server sets it.
   */
  readonly keepsUnseenStatus?: boolean
  /** Foretells what a write sets off; its sentences go to the writer as warnings. Absent: nobody is warned. */
  readonly forecast?: Forecast
  readonly log?: Log
  readonly metrics?: Metrics
  /** Events that a watch may lag behind before it ends with Expired. Default 10,000; they are shared, not copied. */
  readonly watchBufferMax?: number
  /** Bytes of events that it may lag behind. Default 16 MiB; shared ones are counted in full by each watch. */
  readonly watchBufferBytesMax?: number
}

/** Where an object of a resource lies in the store. */
export const storeKeyOf = (resource: ResourceDefinition, key: Key): StoreKey => ({
  collection: resourceName(resource),
  namespace: resource.scope === 'Cluster' ? '' : key.namespace,
  name: key.name,
})
