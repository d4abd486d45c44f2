/** A table of facts by key, uid and group; says when one of them changes. */
import { formatKey, type Key } from '../api/object.ts'

type Fact = { readonly namespace: string; readonly name: string; readonly uid: string }

/** Facts of one kind; what is the same again changes nothing. */
export class FactTable<F extends Fact> {
  readonly #byKey = new Map<string, F>()
  readonly #byUid = new Map<string, F>()
  readonly #groups = new Map<string, Set<F>>()
  readonly #groupOf: (fact: F) => string
  readonly #onChange: () => void

  constructor(options: { readonly groupOf: (fact: F) => string; readonly onChange: () => void }) {
    this.#groupOf = options.groupOf
    this.#onChange = options.onChange
  }

  get(key: Key): F | undefined {
    return this.#byKey.get(formatKey(key))
  }

  byUid(uid: string): F | undefined {
    return this.#byUid.get(uid)
  }

  group(name: string): readonly F[] {
    return [...(this.#groups.get(name) ?? [])]
  }

  all(): Iterable<F> {
    return this.#byKey.values()
  }

  /** Takes a fact that is new or has changed. */
  put(fact: F): void {
    if (this.#put(fact)) this.#onChange()
  }

  remove(key: Key): void {
    if (this.#remove(formatKey(key))) this.#onChange()
  }

  /** Takes all facts that there are; whatever else was known is gone. */
  replace(facts: readonly F[]): void {
    const kept = new Set(facts.map((fact) => formatKey(fact)))
    const gone = [...this.#byKey.keys()].filter((key) => !kept.has(key))
    const removed = gone.map((key) => this.#remove(key))
    const put = facts.map((fact) => this.#put(fact))
    if (removed.includes(true) || put.includes(true)) this.#onChange()
  }

  #put(fact: F): boolean {
    const key = formatKey(fact)
    // Facts are flat and made in one place, so that their members come in one order.
    if (JSON.stringify(this.#byKey.get(key)) === JSON.stringify(fact)) return false
    this.#remove(key)
    this.#byKey.set(key, fact)
    this.#byUid.set(fact.uid, fact)
    const group = this.#groupOf(fact)
    const members = this.#groups.get(group) ?? new Set<F>()
    this.#groups.set(group, members.add(fact))
    return true
  }

  #remove(key: string): boolean {
    const fact = this.#byKey.get(key)
    if (fact === undefined) return false
    this.#byKey.delete(key)
    this.#byUid.delete(fact.uid)
    const group = this.#groupOf(fact)
    const members = this.#groups.get(group)
    members?.delete(fact)
    if (members?.size === 0) this.#groups.delete(group)
    return true
  }
}
