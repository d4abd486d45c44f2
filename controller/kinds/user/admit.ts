/** Decides whether a write of a User may go on. Pure. */
import { admissionOf, invalid, tenantNeeds, viewTenant } from '../admission.ts'
import { userKind, type User } from './schema.ts'

/** E-mail addresses are compared without regard to case. */
export const sameEmail = (a: Pick<User, 'spec'>, b: Pick<User, 'spec'>): boolean =>
  a.spec.email.toLowerCase() === b.spec.email.toLowerCase()

/** AD20: an e-mail address is one User's within a tenant. */
export const userAdmission = admissionOf<User>({
  writeNeeds: (object) => [...tenantNeeds(object), { kind: userKind, namespace: object.metadata.namespace ?? '' }],
  write: (request, related) => {
    const { object, old } = request
    const { refusal } = viewTenant(request, related)
    if (refusal !== undefined && refusal.length > 0) return refusal
    if (old !== undefined && sameEmail(object, old)) return []
    const holder = related
      .list(userKind, object.metadata.namespace ?? '')
      .find((other) => other.metadata.name !== object.metadata.name && sameEmail(other, object))
    if (holder === undefined) return []
    const message = `Cannot use e-mail "${object.spec.email}": User "${holder.metadata.name}" has it; change that User or use another address`
    return [invalid('spec.email', message)]
  },
})
