/** Pure: whose turn it is among tenants, in proportion to their weights and so that none starves. */
import { Heap, type HeapItem } from './heap.ts'

/** Weights of plans go from 1 to 100; anything else is cut to that. */
export const WEIGHT_MAX = 100

/** What is to be told apart within one tenant: the first of it is served first. */
type Tenant<T extends HeapItem> = HeapItem & {
  readonly name: string
  readonly waiting: Heap<T>
  /** Virtual time at which its next turn begins: the lowest is served first. */
  startAt: number
  /** Breaks ties: who was served longest ago comes first. */
  servedOrder: number
}

type Turn = { readonly startAt: number; readonly servedOrder: number }

const comesBefore = (a: Turn, b: Turn): boolean =>
  a.startAt < b.startAt || (a.startAt === b.startAt && a.servedOrder < b.servedOrder)

/**
 * Start-time fair queueing (Goyal, Vin, Cheng 1996): a turn costs a tenant 1/weight of virtual time. The shares are
 * those of deficit round robin, but a heavy tenant's turns are spread out instead of coming in bursts of its weight,
 * so that a light one waits for one turn of each other tenant at most. O(log n) an operation; memory for the tenants
 * that have something waiting, and for those that were served within the last virtual second.
 */
export class FairShare<T extends HeapItem> {
  readonly #before: (a: T, b: T) => boolean
  readonly #weightOf: (tenant: string) => number
  readonly #tenants = new Map<string, Tenant<T>>()
  readonly #active = new Heap<Tenant<T>>(comesBefore)
  /** Tenants with nothing waiting whose last turn is not paid off yet; forgotten when it is. */
  readonly #resting = new Heap<Tenant<T>>(comesBefore)
  #virtualNow = 0
  #turns = 0
  #size = 0

  /** `before` orders the items of one tenant; `weightOf` is asked at every turn, so that weights may change. */
  constructor(before: (a: T, b: T) => boolean, weightOf: (tenant: string) => number) {
    this.#before = before
    this.#weightOf = weightOf
  }

  get size(): number {
    return this.#size
  }

  push(tenantName: string, item: T): void {
    const tenant = this.#tenantNamed(tenantName)
    tenant.waiting.push(item)
    this.#size++
    if (tenant.waiting.size > 1) return
    // One that rests has a start in the future, a new one has now: neither gains by having been away.
    this.#resting.remove(tenant)
    this.#active.push(tenant)
  }

  /** Puts an item that waits right after its order within the tenant has changed. */
  update(tenantName: string, item: T): void {
    this.#tenants.get(tenantName)?.waiting.update(item)
  }

  /** The next item of the tenant whose turn it is; undefined when nothing waits. */
  pop(): T | undefined {
    const tenant = this.#active.peek()
    const item = tenant?.waiting.pop()
    if (tenant === undefined || item === undefined) return undefined
    this.#size--
    this.#virtualNow = tenant.startAt
    tenant.startAt += 1 / clampWeight(this.#weightOf(tenant.name))
    tenant.servedOrder = ++this.#turns
    this.#settle(tenant)
    return item
  }

  clear(): void {
    for (const tenant of this.#tenants.values()) tenant.waiting.clear()
    this.#active.clear()
    this.#forgetAll()
  }

  #tenantNamed(name: string): Tenant<T> {
    const known = this.#tenants.get(name)
    if (known !== undefined) return known
    const waiting = new Heap<T>(this.#before)
    const tenant = { name, waiting, startAt: this.#virtualNow, servedOrder: 0, heapIndex: -1 }
    this.#tenants.set(name, tenant)
    return tenant
  }

  /** Puts a tenant that was just served where it belongs. */
  #settle(tenant: Tenant<T>): void {
    if (tenant.waiting.size > 0) {
      this.#active.update(tenant)
    } else {
      this.#active.remove(tenant)
      this.#resting.push(tenant)
    }
    // With nobody waiting there is nothing to share: old debts are forgotten and virtual time starts anew.
    if (this.#active.size === 0) this.#forgetAll()
    for (let next = this.#resting.peek(); next !== undefined && next.startAt <= this.#virtualNow;) {
      this.#resting.pop()
      this.#tenants.delete(next.name)
      next = this.#resting.peek()
    }
  }

  #forgetAll(): void {
    this.#resting.clear()
    this.#tenants.clear()
    this.#virtualNow = 0
    this.#size = 0
  }
}

const clampWeight = (weight: number): number =>
  Number.isFinite(weight) ? Math.min(WEIGHT_MAX, Math.max(1, weight)) : 1
