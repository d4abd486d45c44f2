/** Pure: whether two owner stamps are the same, the question behind adoption and behind "never touch what is not ours". */
import type { OwnerStamp } from './machines.ts'

/** True when every field is equal. */
export const sameStamp = (a: OwnerStamp | undefined, b: OwnerStamp | undefined): boolean =>
  a !== undefined &&
  b !== undefined &&
  a.controlPlane === b.controlPlane &&
  a.tenant === b.tenant &&
  a.sprite === b.sprite &&
  a.spriteUid === b.spriteUid &&
  a.incarnation === b.incarnation &&
  a.specHash === b.specHash
