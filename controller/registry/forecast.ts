/** The port that foretells what a write will set off, so that whoever makes it is warned. Pure: types. */
import type { Operation } from '../api/admission.ts'
import type { KubeObject } from '../api/object.ts'
import type { ResourceDefinition } from '../api/resource.ts'

/** A write that has passed every check and is about to be stored (or, in a dry run, is not). */
export type ForecastChange = {
  readonly resource: ResourceDefinition
  readonly operation: Operation
  /** After the write; for DELETE the object that is to go. */
  readonly object: KubeObject
  /** Before the write; absent on CREATE. */
  readonly old?: KubeObject
  /** A delete that leaves behind what the object owns. */
  readonly isOrphaning?: boolean
}

/**
 * Sentences for the writer, the gravest first: machines that will be created, stopped or destroyed, work that is
 * affected, headroom that is left. Empty when the write sets off nothing. It reads only what is at hand, and is asked
 * only for writes of people and tools that change something.
 */
export type Forecast = (change: ForecastChange) => readonly string[]
