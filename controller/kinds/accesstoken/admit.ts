/** Decides whether a write of an AccessToken may go on. Pure. */
import type { AdmissionRequest, Related, Violation } from '../../api/admission.ts'
import { admissionOf, forbidden, invalid, tenantNeeds, viewTenant } from '../admission.ts'
import { SYSTEM_NAMESPACE } from '../../api/namespaces.ts'
import { accessTokenKind, PLATFORM_ADMIN_ROLE, type AccessToken } from './schema.ts'

const namespaceOf = ({ metadata }: AccessToken): string => metadata.namespace ?? ''

/** AX1 platform-admin belongs in the system's namespace and nothing else does; AX2 a keyId is one token's within a namespace. */
export const accessTokenAdmission = admissionOf<AccessToken>({
  writeNeeds: (object) => [...tenantNeeds(object), { kind: accessTokenKind, namespace: namespaceOf(object) }],
  write: (request, related) => {
    const refusal = checkPlace(request, related)
    return refusal.length > 0 ? refusal : checkKeyId(request, related)
  },
})

function checkPlace(request: AdmissionRequest<AccessToken>, related: Related): readonly Violation[] {
  const { object } = request
  const isPlatform = object.spec.role === PLATFORM_ADMIN_ROLE
  if (namespaceOf(object) !== SYSTEM_NAMESPACE) {
    if (isPlatform) return [forbidden('spec.role', notHere(object))]
    return viewTenant(request, related).refusal ?? []
  }
  if (isPlatform) return []
  const asked = object.spec.role === undefined ? `user "${object.spec.user}"` : `role "${object.spec.role}"`
  const message = `Cannot give ${asked} in namespace "${SYSTEM_NAMESPACE}": tokens there are of role ${PLATFORM_ADMIN_ROLE}; create the token in the namespace of its tenant`
  return [invalid('spec.role', message)]
}

const notHere = (object: AccessToken): string =>
  `Cannot give role "${PLATFORM_ADMIN_ROLE}" in namespace "${namespaceOf(object)}": it acts on every tenant; create the token in namespace "${SYSTEM_NAMESPACE}"`

function checkKeyId({ object, old }: AdmissionRequest<AccessToken>, related: Related): readonly Violation[] {
  if (old !== undefined) return []
  const holder = related
    .list(accessTokenKind, namespaceOf(object))
    .find((other) => other.metadata.name !== object.metadata.name && other.spec.keyId === object.spec.keyId)
  if (holder === undefined) return []
  const message = `Cannot use keyId "${object.spec.keyId}": AccessToken "${holder.metadata.name}" has it; make another token`
  return [invalid('spec.keyId', message)]
}
