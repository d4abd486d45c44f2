/** Lists the resources that the Kubernetes API shows besides the stored ones, each a view of something else. */
import { KINDS } from '../kinds/kinds.ts'
import type { View } from '../registry/views.ts'
import { crdView } from '../views/crds.ts'
import { eventView } from '../views/events.ts'
import { serviceView } from '../views/no-services.ts'
import { podView } from '../views/pods.ts'
import type { Foundations, Objects } from './foundations.ts'

/** The views, in the order of discovery. */
export function openViews({ clock, registry }: Foundations & Objects): readonly View[] {
  return [podView(registry), eventView(registry), serviceView(clock), crdView(KINDS, clock)]
}
