/** Decides what is published of a tenant's usage, and when it is looked at again. Pure. */
import type { TenantStatus } from './schema.ts'
import type { TenantWorld } from './world.ts'

/** Usage is published at most this often while it moves. */
export const USAGE_REFRESH_MS = 15_000
/** The longest wait for the next month: a timer that is months long is not to be trusted. */
export const ROLLOVER_CHECK_MS_MAX = 3_600_000
/** Fewer tokens than the smallest call to the model takes: then no call is granted, and the budget is exhausted. */
export const BUDGET_CALL_TOKENS_MIN = 256

/** The usage of a tenant in one month, as its status tells it. */
export type Usage = NonNullable<TenantStatus['usage']>

/** A tenant's usage, and how fresh it is. */
export type UsageView = {
  readonly usage: Usage
  /** Read now, and not what was published before. */
  readonly isFresh: boolean
  readonly isMoving: boolean
}

/** The usage as it is now, or, when it was published a moment ago, what was published. */
export function usageOf(world: TenantWorld, budgetTokens: number | null): UsageView {
  const published = world.tenant.status?.usage
  const current = currentUsage(world, published)
  const differs = published === undefined || !sameUsage(current, published)
  const isMoving = differs || world.isAtWork || world.balance.reserved > 0 || world.isLedgerAway === true
  const isDue =
    published === undefined ||
    published.month !== world.month ||
    world.usageAgeMs === undefined ||
    world.usageAgeMs >= USAGE_REFRESH_MS ||
    isExhausted(current, budgetTokens) !== isExhausted(published, budgetTokens)
  return { usage: isDue || published === undefined ? current : published, isFresh: isDue && differs, isMoving }
}

/** Machines are counted in memory: within a month the count does not go back after a restart. */
function currentUsage(world: TenantWorld, published: Usage | undefined): Usage {
  const spawnedBefore = published?.month === world.month ? published.spritesSpawned : 0
  return {
    month: world.month,
    tokensUsed: world.balance.spent,
    tokensReserved: world.balance.reserved,
    spritesSpawned: Math.max(world.spawned, spawnedBefore),
  }
}

const sameUsage = (a: Usage, b: Usage): boolean =>
  a.month === b.month &&
  a.tokensUsed === b.tokensUsed &&
  a.tokensReserved === b.tokensReserved &&
  a.spritesSpawned === b.spritesSpawned

/** Whether no further call to the model would be granted. */
export const isExhausted = (usage: Usage, budgetTokens: number | null): boolean =>
  budgetTokens !== null && budgetTokens - usage.tokensUsed < BUDGET_CALL_TOKENS_MIN

/** Soon while usage moves, else when the next month begins, within the hour. */
export function nextLook(
  world: TenantWorld,
  view: UsageView,
): { readonly requeueAfterMs: number; readonly requeueReason: string } {
  const monthMs = Math.min(Math.max(1, world.nextMonthAtMs - world.nowMs), ROLLOVER_CHECK_MS_MAX)
  const waitedMs = view.isFresh ? 0 : (world.usageAgeMs ?? 0)
  const usageMs = waitedMs >= USAGE_REFRESH_MS ? USAGE_REFRESH_MS : USAGE_REFRESH_MS - waitedMs
  return view.isMoving && usageMs < monthMs
    ? { requeueAfterMs: usageMs, requeueReason: 'usage' }
    : { requeueAfterMs: monthMs, requeueReason: 'month' }
}

/** Share of the budget as in '12 %', rounded down so that 100 % says that it is used up; '∞' without a budget. */
export function tokensText(usage: Usage, budgetTokens: number | null): string {
  if (budgetTokens === null) return '∞'
  if (budgetTokens === 0) return '100 %'
  return `${Math.floor((usage.tokensUsed * 100) / budgetTokens)} %`
}

/** Machines of the limit as in '3/4'; '3/∞' without a limit. */
export const runningText = (running: number, limit: number | null): string => `${running}/${limit ?? '∞'}`
