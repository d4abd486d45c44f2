/** Decides whether a write of a User may go on. Pure. */
import type { AdmissionRequest, Violation } from '../../api/admission.ts'
import { admissionOf, invalid, tenantNeeds, viewTenant } from '../admission.ts'
import { userKind, type User } from './schema.ts'

/** E-mail addresses are compared without regard to case. */
export const sameEmail = (a: Pick<User, 'spec'>, b: Pick<User, 'spec'>): boolean =>
  a.spec.email.toLowerCase() === b.spec.email.toLowerCase()

/** AD20: an e-mail address is one User's within a tenant. AD21: it is what it looks like, and nobody's of the control plane. */
export const userAdmission = admissionOf<User>({
  writeNeeds: (object) => [...tenantNeeds(object), { kind: userKind, namespace: object.metadata.namespace ?? '' }],
  write: (request, related) => {
    const { object, old } = request
    const { refusal } = viewTenant(request, related)
    if (refusal !== undefined && refusal.length > 0) return refusal
    const odd = checkText(request)
    if (odd.length > 0) return odd
    if (old !== undefined && sameEmail(object, old)) return []
    const holder = related
      .list(userKind, object.metadata.namespace ?? '')
      .find((other) => other.metadata.name !== object.metadata.name && sameEmail(other, object))
    if (holder === undefined) return []
    const message = `Cannot use e-mail "${object.spec.email}": User "${holder.metadata.name}" has it; change that User or use another address`
    return [invalid('spec.email', message)]
  },
})

/** Nothing that is not seen, that turns text around or that is half a character. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}]/u

/** It names its holder wherever somebody is named: in messages, logs and answers. What is there already is not judged. */
function checkText({ object, old }: AdmissionRequest<User>): readonly Violation[] {
  const { email } = object.spec
  if (email === old?.spec.email) return []
  const why = UNSEEN.test(email)
    ? 'it has characters that are not seen'
    : email.toLowerCase().startsWith('system:')
      ? 'names that begin so are the control plane’s own'
      : // Addresses are compared without regard to case: such a letter would make it another's.
        Array.from(email).some((char) => char > '\u007f' && char.toLowerCase() <= '\u007f')
        ? 'it has a letter that turns into another one in lower case'
        : undefined
  if (why === undefined) return []
  const shown = email.replaceAll(/[\p{Cc}\p{Cf}\p{Cs}\p{Co}]/gu, '\u{fffd}')
  return [invalid('spec.email', `Cannot use e-mail "${shown}": ${why}; write the address as it is typed`)]
}
