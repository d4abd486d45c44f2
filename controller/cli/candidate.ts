/** Decides what a manifest makes of the object that is there. */
import { asJson, type JsonObject, type KubeObject } from '../api/object.ts'
import { mergePatch } from '../api/patches.ts'
import type { Candidate } from './admit-batch.ts'
import { storedForm, type BatchItem } from './batch.ts'
import { lastAppliedOf, threeWayPatch, withLastApplied } from './three-way.ts'

/** An object that is about to be applied, with what is sent for it. */
export type PatchCandidate = Candidate & {
  /** What is sent; undefined creates the object. */
  readonly patch: JsonObject | undefined
}

/** The object as it would be, with the patch that makes it so. */
export function candidateFrom(item: BatchItem, old: KubeObject | undefined): PatchCandidate {
  if (old === undefined) return { item, old, object: storedForm(item), patch: undefined }
  const current = asJson(old)
  const patch = threeWayPatch(lastAppliedOf(current), current, withLastApplied(item.value))
  // The merged object is an object again.
  const object = storedForm(item, mergePatch(current, patch) as JsonObject)
  return { item, old, object: { ...object, metadata: { ...old.metadata, ...object.metadata } }, patch }
}
