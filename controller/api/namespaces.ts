/** Names the namespaces that are the control plane's own. Pure. */

/** Namespace of the tokens of platform admins; no tenant's name. */
export const SYSTEM_NAMESPACE = 'sprites-system'

/** Namespace of the events of cluster-scoped objects, as in every cluster. */
export const DEFAULT_NAMESPACE = 'default'

/** They are made at start and needed from then on: nobody deletes them. */
export const OWN_NAMESPACES: ReadonlySet<string> = new Set([DEFAULT_NAMESPACE, SYSTEM_NAMESPACE])
