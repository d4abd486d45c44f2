/** Reads the world of one tenant: cache, ledger and namespace; no writes. */
import type { Key } from '../../api/object.ts'
import { isDeleting } from '../../api/object.ts'
import { isLedgerAway, periodOf, type Balance, type Ledger } from '../../ledger/ledger.ts'
import { parseTimestamp, timestamp } from '../../../system/timestamp.ts'
import { KINDS } from '../kinds.ts'
import { planKind } from '../plan/schema.ts'
import type { KindPorts } from '../publish.ts'
import type { MachineProvider } from '../../providers/machines.ts'
import type { MachineFeed } from '../sprite/observe.ts'
import { SLOT_LEDGER_NAME, slotLedgerKind } from '../slotledger/schema.ts'
import { spriteKind } from '../sprite/schema.ts'
import { workKind, type WorkPhase } from '../work/schema.ts'
import type { LookForAnthropicKey } from './anthropic-key.ts'
import type { AppKeeper } from './app-keeper.ts'
import { holdUpOf } from './hold-up.ts'
import { tenantKind, type Tenant } from './schema.ts'
import { strangersOf } from './strangers.ts'
import type { Leftover, TenantWorld } from './world.ts'

/** The core Namespace of a tenant; the composition root implements it over the registry or the cluster. */
export type Namespaces = {
  /** Makes it, owned by the tenant; one that is there already is fine. */
  ensure(name: string, tenantUid: string): Promise<void>
  /** Removes it and what is left in it; one that is not there is fine. */
  remove(name: string): Promise<void>
  /** Whether it is there, and whether it is the tenant's or somebody else's, which nobody here touches. */
  standing(name: string): Promise<NamespaceStanding>
}

/** How the namespace of a tenant's name stands. */
export type NamespaceStanding = 'Absent' | 'Own' | 'Taken'

/** What the Tenant's controller needs of the process. */
export type TenantPorts = KindPorts & {
  readonly ledger: Pick<Ledger, 'read'>
  readonly namespaces: Namespaces
  /** What the provider keeps for a tenant besides machines. */
  readonly provider: Pick<MachineProvider, 'removeTenant' | 'ensureTenant' | 'standing'>
  /** The last picture of a tenant's machines. */
  readonly feed?: Pick<MachineFeed, 'read'>
  /** Who has frozen the tenant's machines, in words; undefined when nobody has. */
  readonly frozenBy?: (tenant: string) => string | undefined
  /** Has the tenant looked at again soon. */
  readonly wakeTenant: (tenant: string) => void
  readonly lookForAnthropicKey: LookForAnthropicKey
  /** How many machines were created for a tenant in a month, YYYY-MM (UTC). */
  readonly spawnCount: (tenant: string, month: string) => number | Promise<number>
}

const HANDS: ReadonlySet<WorkPhase> = new Set<WorkPhase>(['Assigned', 'InProgress', 'InReview'])

/** Whether a phase means that somebody has the work, so that tokens may move. */
export const isInHands = (phase: WorkPhase | undefined): boolean => phase !== undefined && HANDS.has(phase)

/** The world of the tenant of that name; undefined when it is gone. */
export async function observeTenant(
  ports: TenantPorts,
  key: Key,
  options: {
    readonly usagePublishedAtMs: number | undefined
    readonly signal: AbortSignal
    readonly apps: AppKeeper | undefined
  },
): Promise<TenantWorld | undefined> {
  const { cache } = ports
  const tenant = cache.get(tenantKind, key)
  if (tenant === undefined) return undefined
  const nowMs = ports.clock.now()
  const month = periodOf(nowMs)
  const publishedAtMs = options.usagePublishedAtMs
  const sprites = cache.list(spriteKind, key.name)
  const ref = tenant.spec.config.anthropicKeySecretRef
  const [balance, spawned, namespace, leftovers, anthropicKeyFault] = await Promise.all([
    balanceOf(ports, tenant, month),
    ports.spawnCount(key.name, month),
    ports.namespaces.standing(key.name),
    isDeleting(tenant) ? leftoversOf(ports, key.name, options.signal) : [],
    ref === undefined ? undefined : ports.lookForAnthropicKey(key.name, ref),
  ])
  return {
    tenant,
    plan: cache.get(planKind, { namespace: '', name: tenant.spec.plan }),
    nowMs,
    now: timestamp(nowMs),
    month,
    nextMonthAtMs: nextMonthAt(month),
    ...balance,
    spawned,
    usageAgeMs: publishedAtMs === undefined ? undefined : Math.max(0, ports.clock.monotonic() - publishedAtMs),
    isAtWork: cache.list(workKind, key.name).some((work) => isInHands(work.status?.phase)),
    slots: cache.get(slotLedgerKind, { namespace: key.name, name: SLOT_LEDGER_NAME })?.status ?? {},
    spritesDeclared: sprites.length,
    hasNamespace: namespace === 'Own',
    isNamespaceTaken: namespace === 'Taken',
    anthropicKeyFault,
    app: options.apps?.look(key.name),
    standing: ports.provider.standing?.(key.name),
    ...(ports.feed === undefined ? {} : { strangers: strangersOf(ports.feed.read(key.name), sprites) }),
    holdUp: isDeleting(tenant) ? holdUpOf(sprites) : undefined,
    frozenBy: ports.frozenBy?.(key.name),
    leftovers,
  }
}

/** The tokens of the month; while the ledger is away, as they were published. */
async function balanceOf(
  ports: TenantPorts,
  tenant: Tenant,
  month: string,
): Promise<{ readonly balance: Balance; readonly isLedgerAway: boolean }> {
  try {
    return { balance: await ports.ledger.read(tenant.metadata.name, month), isLedgerAway: false }
  } catch (error) {
    if (!isLedgerAway(error)) throw error
    const usage = tenant.status?.usage
    const isOfMonth = usage?.month === month
    const balance = { spent: isOfMonth ? usage.tokensUsed : 0, reserved: isOfMonth ? usage.tokensReserved : 0 }
    return { balance, isLedgerAway: true }
  }
}

/** Asked of the server, never of a cache: what a cache has not seen yet would be left behind for ever. */
async function leftoversOf(ports: TenantPorts, namespace: string, signal: AbortSignal): Promise<readonly Leftover[]> {
  const kinds = KINDS.filter((kind) => kind.scope === 'Namespaced')
  const lists = await Promise.all(kinds.map((kind) => ports.client.list(kind, { namespace }, signal)))
  return lists.flatMap((list, index) =>
    list.items.map((object) => ({ kind: kinds[index]?.kind ?? object.kind, metadata: object.metadata })),
  )
}

/** When the month after YYYY-MM begins, in ms since 1970. */
export function nextMonthAt(month: string): number {
  const [year = 1970, number = 1] = month.split('-').map(Number)
  const [nextYear, next] = number === 12 ? [year + 1, 1] : [year, number + 1]
  const text = `${String(nextYear).padStart(4, '0')}-${String(next).padStart(2, '0')}-01T00:00:00Z`
  return parseTimestamp(text) ?? Infinity
}
