/** Asks the running control plane, where there is one, whether it answers and how many sprites its tenants may run. */
import { MALFORMED_PATH } from '../../assembly/malformed-route.ts'
import { ApiError } from '../../api/errors.ts'
import { isJsonObject } from '../../api/patches.ts'
import { check, type Check } from '../../providers/check.ts'
import { connectionFrom, type ConnectionFlags } from '../api/connection.ts'
import { createObjectClient, type ObjectClient } from '../api/objects.ts'
import { explain } from '../explain.ts'
import { CliFailure } from '../failure.ts'
import { kindOf } from '../kinds.ts'
import { counted } from '../text.ts'

/** The checks, and the sum of all tenants' limits; undefined where it is not known or has no bound. */
export type ControlPlaneFound = { readonly checks: readonly Check[]; readonly plannedSprites: number | undefined }

/** Malformed documents that get a line each. */
const DOCUMENTS_SHOWN_MAX = 20

/** Never rejects: a control plane that does not run is no fault of a first start. */
export async function controlPlaneCheck(flags: ConnectionFlags): Promise<ControlPlaneFound> {
  try {
    return await ask(flags)
  } catch (error) {
    const isNew = error instanceof CliFailure && error.reason === 'Unreachable' && flags.server === undefined
    const text = isNew ? 'does not run' : explain(error)
    return { checks: [check('control plane', isNew ? 'ok' : 'warn', text)], plannedSprites: undefined }
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
    const documents = documentsCheck(await malformedOf(client))
    return { checks: [check('control plane', 'ok', text), ...documents], plannedSprites }
  } finally {
    client.close()
  }
}

/** What the store holds and cannot be read as objects; undefined where the control plane does not tell. */
async function malformedOf({ http }: ObjectClient): Promise<unknown> {
  try {
    return await http.json(MALFORMED_PATH)
  } catch (error) {
    // A cluster has no such path, and not everybody may know.
    if (error instanceof ApiError || error instanceof CliFailure) return undefined
    throw error
  }
}

/** A line for each of the first malformed documents of the route's reply; none where there are none. Pure. */
export function documentsCheck(reply: unknown): readonly Check[] {
  const documents =
    isJsonObject(reply) && Array.isArray(reply['documents']) ? reply['documents'].filter(isJsonObject) : []
  const more = isJsonObject(reply) && typeof reply['more'] === 'number' ? reply['more'] : 0
  const named = documents.slice(0, DOCUMENTS_SHOWN_MAX)
  const left = documents.length - named.length + more
  return [
    ...named.map(({ path, fault }) => documentCheck(textOf(path), textOf(fault))),
    ...(left > 0 ? [check('document', 'warn', `${counted(left, 'more document')} left out`)] : []),
  ]
}

/** What is no object is left out and stops nothing else; but a lease can then be held by nobody. */
const documentCheck = (path: string, fault: string): Check =>
  path.startsWith('leases/sprites-')
    ? check('document', 'fail', `${path} can be held by nobody, and tenants stand still: ${fault}`, 'delete it now')
    : check('document', 'warn', `${path} is left out: ${fault}`)

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '?')

/** How many sprites a tenant may run at once; undefined without a bound. */
function limitOf(status: unknown): number | undefined {
  const limits = isJsonObject(status) ? status['limits'] : undefined
  const count = isJsonObject(limits) ? limits['concurrentSprites'] : undefined
  return typeof count === 'number' ? count : undefined
}
