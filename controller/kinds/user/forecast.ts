/** Foretells what a write of a User sets off: who may do less, or nothing. Pure. */
import { quoted } from '../forecast-text.ts'
import { sceneOf, type ForecastWorld, type Foretold } from '../forecast-world.ts'
import type { User } from './schema.ts'

const RANKS: Readonly<Record<User['spec']['role'], number>> = { viewer: 0, member: 1, admin: 2 }

/** FC12 a person who loses a role, and a tenant that is left without an admin. */
export function userForecast(world: ForecastWorld, change: Foretold<User>): readonly string[] {
  const { object, old, operation } = change
  if (old === undefined) return []
  const tenant = quoted(object.metadata.namespace ?? '')
  const who = quoted(old.spec.email)
  const isGone = operation === 'DELETE' || object.spec.email !== old.spec.email
  const isLess = RANKS[object.spec.role] < RANKS[old.spec.role]
  const loss = isGone
    ? [`${who} loses the role "${old.spec.role}" in tenant ${tenant}`]
    : isLess
      ? [`${who} is "${object.spec.role}" and no longer "${old.spec.role}" in tenant ${tenant}`]
      : []
  return loss.length === 0 ? [] : [...loss, ...lastAdminSentence(world, change, tenant)]
}

function lastAdminSentence(
  world: ForecastWorld,
  { object, old, operation }: Foretold<User>,
  tenant: string,
): readonly string[] {
  const staysAdmin = operation !== 'DELETE' && object.spec.role === 'admin'
  if (old?.spec.role !== 'admin' || staysAdmin) return []
  const others = sceneOf(world, object.metadata.namespace ?? '')?.users ?? []
  const isLast = !others.some((one) => one.metadata.name !== object.metadata.name && one.spec.role === 'admin')
  return isLast ? [`Tenant ${tenant} has no admin of its own then`] : []
}
