/** Opens the rights of a control plane: who comes in, and what everybody may do on all of its APIs. */
import { createAccess, type Access } from '../access/access.ts'
import type { AppCaller } from '../coordinator/product.ts'
import { presentedToken, type Authenticate } from '../server/tokens.ts'
import type { Foundations, Objects } from './foundations.ts'
import type { Undo } from './undo.ts'

/** Opens it, filled: whoever comes in from now on is known. `undo` closes it. */
export async function openAccess(
  { registry, clock, log }: Pick<Foundations & Objects, 'registry' | 'clock' | 'log'>,
  undo: Undo,
): Promise<Access> {
  const access = createAccess({ registry, clock, log: log.child({ part: 'access' }), readToken: presentedToken })
  undo.add(() => access.close())
  await access.start()
  return access
}

/** Who calls the product API, with the same credentials and roles as on the Kubernetes API. */
export const appCallers =
  (access: Access, authenticate: Authenticate) =>
  async (token: string): Promise<AppCaller | undefined> => {
    const actor = await authenticate(token)
    return actor && { name: actor.name, roleIn: (tenant) => access.roleIn(actor, tenant) }
  }
