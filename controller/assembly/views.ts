/** Lists the resources that the Kubernetes API shows besides the stored ones, each a view of something else. */
import type { View } from '../registry/views.ts'
import type { Foundations, Objects } from './foundations.ts'

/** The views, in the order of discovery. */
export function openViews(_parts: Foundations & Objects): readonly View[] {
  return []
}
