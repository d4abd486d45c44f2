/** Arranges a fleet for people: tenants, their sprites and projects, and work as trees in the order of hand-off. Pure. */
import type { FleetState } from '../assembly/fleet-state.ts'
import type { Project } from '../kinds/project/schema.ts'
import type { Sprite } from '../kinds/sprite/schema.ts'
import type { Tenant } from '../kinds/tenant/schema.ts'
import type { Work } from '../kinds/work/schema.ts'

/** A work with what was handed on from it. */
export type WorkNode = { readonly work: Work; readonly children: readonly WorkNode[] }

/** One tenant as the terminal shows it. */
export type TenantView = {
  readonly name: string
  readonly tenant: Tenant
  readonly projects: readonly Project[]
  readonly sprites: readonly Sprite[]
  /** Chains of work, oldest first. */
  readonly chains: readonly WorkNode[]
}

type Named = { readonly metadata: { readonly name: string; readonly namespace?: string } }

const byName = (a: Named, b: Named): number => (a.metadata.name < b.metadata.name ? -1 : 1)

const byAge = (a: Work, b: Work): number => {
  const [at, bt] = [a.metadata.creationTimestamp, b.metadata.creationTimestamp]
  return at === bt ? byName(a, b) : at < bt ? -1 : 1
}

/** Every tenant, by name. */
export function viewOf(state: FleetState): readonly TenantView[] {
  return state.tenants.toSorted(byName).map((tenant) => {
    const { name } = tenant.metadata
    const isOwn = (object: Named): boolean => object.metadata.namespace === name
    return {
      name,
      tenant,
      projects: state.projects.filter(isOwn).toSorted(byName),
      sprites: state.sprites.filter(isOwn).toSorted(byName),
      chains: chainsOf(state.work.filter(isOwn)),
    }
  })
}

/** Depth of a tree that is shown, at most: hand-offs are bounded far below. */
const DEPTH_MAX = 32

/** Work as trees: a hand-off hangs below the work that made it. */
export function chainsOf(works: readonly Work[]): readonly WorkNode[] {
  const known = new Set(works.map((work) => work.metadata.name))
  const children = Map.groupBy(works.toSorted(byAge), (work) => {
    const parent = work.spec.parent
    return parent !== undefined && known.has(parent) ? parent : ''
  })
  const nodeOf = (work: Work, depth: number): WorkNode => ({
    work,
    children: depth >= DEPTH_MAX ? [] : (children.get(work.metadata.name) ?? []).map((one) => nodeOf(one, depth + 1)),
  })
  return (children.get('') ?? []).map((work) => nodeOf(work, 0))
}

/** Who does a work: its agent type, or the sprite that it names. */
export const doerOf = (work: Work): string => work.spec.agentType ?? work.spec.sprite ?? 'anyone'

/** Place of a sprite in its tenant's queue; 1 is next. */
export const positionOf = (sprite: Sprite): number | undefined =>
  sprite.status?.blockers?.find((blocker) => blocker.position !== undefined)?.position

/** Why something is not ready, in the words of its Ready condition. */
export function readyMessage(object: {
  readonly status?: { readonly conditions?: readonly { type: string; message?: string | undefined }[] | undefined }
}): string | undefined {
  const message = object.status?.conditions?.find((condition) => condition.type === 'Ready')?.message
  return message === undefined || message === '' ? undefined : message
}
