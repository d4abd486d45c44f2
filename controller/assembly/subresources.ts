/** Lists the subresources that the product's own kinds have besides status: actions, and the scale of tenants. */
import { servedActions } from '../server/actions/actions.ts'
import type { ActionPorts } from '../server/actions/act.ts'
import { servedScale } from '../server/scale.ts'
import type { ServedSubresource } from '../server/subresources.ts'

/** What the server answers under an object, by the registry that keeps it. */
export const productSubresources = (ports: ActionPorts): readonly ServedSubresource[] => [
  ...servedActions(ports),
  servedScale(ports),
]
