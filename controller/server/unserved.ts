/** Words the refusal of a verb or subresource that a resource does not offer, and says what there is instead. Pure. */
import { ApiError } from '../api/errors.ts'
import type { ResourceDefinition } from '../api/resource.ts'
import { methodNotAllowed, notServed } from './exchange.ts'

type Offer = Pick<ResourceDefinition, 'group' | 'plural' | 'instead'>

const remedy = ({ instead }: Offer): string => (instead === undefined ? '' : `; ${instead}`)

/** NotFound, as kube-apiserver says it, and, where we know it, what there is instead. */
export function noSubresource(resource: Offer, subresource: string): ApiError {
  if (resource.instead === undefined) return notServed()
  const { reason, message } = notServed()
  return new ApiError(reason, `${message}: there is no ${resource.plural}/${subresource}${remedy(resource)}`)
}

/** MethodNotAllowed, as kube-apiserver says it, and the verbs that there are. */
export const notOffered = (resource: Offer, verbs: readonly string[]): ApiError =>
  new ApiError(
    'MethodNotAllowed',
    `${methodNotAllowed().message}: ${resource.plural} take ${verbs.join(', ')}${remedy(resource)}`,
    { ...(resource.group === '' ? {} : { group: resource.group }), kind: resource.plural },
  )
