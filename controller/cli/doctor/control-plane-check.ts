/** Asks the running control plane, where there is one, whether it answers and how many sprites its tenants may run. */
import { isJsonObject } from '../../api/patches.ts'
import { check, type Check } from '../../providers/check.ts'
import { connectionFrom, type ConnectionFlags } from '../api/connection.ts'
import { createObjectClient } from '../api/objects.ts'
import { explain } from '../explain.ts'
import { CliFailure } from '../failure.ts'
import { kindOf } from '../kinds.ts'
import { counted } from '../text.ts'

/** The check, and the sum of all tenants' limits; undefined where it is not known or has no bound. */
export type ControlPlaneFound = { readonly check: Check; readonly plannedSprites: number | undefined }

/** Never rejects: a control plane that does not run is no fault of a first start. */
export async function controlPlaneCheck(flags: ConnectionFlags): Promise<ControlPlaneFound> {
  try {
    return await ask(flags)
  } catch (error) {
    const isNew = error instanceof CliFailure && error.reason === 'Unreachable' && flags.server === undefined
    const text = isNew ? 'does not run' : explain(error)
    return { check: check('control plane', isNew ? 'ok' : 'warn', text), plannedSprites: undefined }
  }
}

async function ask(flags: ConnectionFlags): Promise<ControlPlaneFound> {
  const client = createObjectClient(await connectionFrom(flags))
  try {
    const tenants = await client.list(kindOf('tenants'))
    const limits = tenants.map(({ status }) => limitOf(status))
    const text = `answers, and its store has ${counted(tenants.length, 'tenant')}`
    const known = limits.filter((limit) => limit !== undefined)
    const plannedSprites = known.length === limits.length ? known.reduce((sum, limit) => sum + limit, 0) : undefined
    return { check: check('control plane', 'ok', text), plannedSprites }
  } finally {
    client.close()
  }
}

/** How many sprites a tenant may run at once; undefined without a bound. */
function limitOf(status: unknown): number | undefined {
  const limits = isJsonObject(status) ? status['limits'] : undefined
  const count = isJsonObject(limits) ? limits['concurrentSprites'] : undefined
  return typeof count === 'number' ? count : undefined
}
