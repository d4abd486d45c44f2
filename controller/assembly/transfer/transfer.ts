/** Moves everything from one place to another and compares both afterwards (rules in carried.ts, TF). */
import { hash } from 'node:crypto'
import { resourceName } from '../../api/define-kind.ts'
import { eventResource } from '../../registry/core.ts'
import { differs, formOf, onlyThere, titleOf, type Carried, type Source, type Target } from './carried.ts'

/** How many objects of a collection were moved, by what became of them. */
export type Moved = { written: number; same: number }

/** What a move did. */
export type TransferReport = {
  readonly collections: ReadonlyMap<string, Readonly<Moved>>
  readonly balances: number
  /** What is not the same in both places, at most FINDINGS_MAX. */
  readonly findings: readonly string[]
  readonly compared: number
}

/** How a move is done. */
export type TransferOptions = {
  /** What differs at the target is overwritten. */
  readonly mayReplace: boolean
  /** Told after each object. */
  readonly onProgress?: (carried: Carried) => void
  readonly signal: AbortSignal
}

/** Findings that are kept; past it only that there are more is told. */
const FINDINGS_MAX = 100
/** Objects that are put at once. */
const BATCH_OBJECTS = 32

/** They come and go by themselves: none of them is in the way of a move. */
const EVENTS = resourceName(eventResource)

/** Copies, then compares. Rejects with TransferError; what has been written stays, and the next run goes on. */
export async function transfer(source: Source, target: Target, options: TransferOptions): Promise<TransferReport> {
  await clearWay(source, target, options)
  const collections = await copyObjects(source, target, options)
  let balances = 0
  for await (const spent of source.spent()) {
    options.signal.throwIfAborted()
    await target.setSpent(spent)
    balances++
  }
  await target.seal()
  return { collections, balances, ...(await compare(source, target, options.signal)) }
}

/** Reads both in full before the first write: what cannot be read, or is in the way, must not be found half-way. */
async function clearWay(source: Source, target: Target, { mayReplace, signal }: TransferOptions): Promise<void> {
  const expected = await digestsOf(source, target, signal, (carried) => target.refuse?.(carried))
  if (target.isNew === true) return
  for await (const carried of target.objects()) {
    signal.throwIfAborted()
    if (carried.collection === EVENTS) continue
    const digest = expected.get(titleOf(carried))
    if (digest !== undefined && digest !== digestOf(carried, target) && !mayReplace) throw differs(carried, target.name)
    if (digest !== undefined || !isInTheWay(carried, target)) continue
    if (!mayReplace) throw onlyThere(carried, target.name)
    await target.remove?.(carried)
  }
}

/** Whether what the target alone has keeps both from being the same. */
const isInTheWay = ({ collection }: Carried, { skipped, shared }: Target): boolean =>
  collection !== EVENTS && skipped?.has(collection) !== true && shared?.has(collection) !== true

async function digestsOf(
  source: Source,
  target: Target,
  signal: AbortSignal,
  look?: (carried: Carried) => void,
): Promise<Map<string, string>> {
  const digests = new Map<string, string>()
  for await (const carried of moving(source, target)) {
    signal.throwIfAborted()
    look?.(carried)
    digests.set(titleOf(carried), digestOf(carried, target))
  }
  return digests
}

async function copyObjects(
  source: Source,
  target: Target,
  options: TransferOptions,
): Promise<ReadonlyMap<string, Readonly<Moved>>> {
  const moved = new Map<string, Moved>()
  const put = async (carried: Carried): Promise<void> => {
    const mayReplace = options.mayReplace || carried.collection === EVENTS
    const outcome = await target.put(carried, { mayReplace })
    if (outcome === 'Differs') throw differs(carried, target.name)
    const count = moved.get(carried.collection) ?? { written: 0, same: 0 }
    moved.set(carried.collection, count)
    if (outcome === 'Written') count.written++
    else count.same++
    options.onProgress?.(carried)
  }
  for await (const batch of batches(moving(source, target))) {
    options.signal.throwIfAborted()
    const results = await Promise.allSettled(batch.map(put))
    const failed = results.find((result) => result.status === 'rejected')
    if (failed !== undefined) throw failed.reason
  }
  return moved
}

async function* moving(source: Source, { skipped }: Target): AsyncGenerator<Carried, void, undefined> {
  for await (const carried of source.objects()) if (skipped?.has(carried.collection) !== true) yield carried
}

/** Objects of one collection at a time: owners are there before what they own is put. */
async function* batches(objects: AsyncIterable<Carried>): AsyncGenerator<readonly Carried[], void, undefined> {
  let batch: Carried[] = []
  for await (const carried of objects) {
    if (batch.length === BATCH_OBJECTS || (batch[0] !== undefined && batch[0].collection !== carried.collection)) {
      yield batch
      batch = []
    }
    batch.push(carried)
  }
  if (batch.length > 0) yield batch
}

async function compare(
  source: Source,
  target: Target,
  signal: AbortSignal,
): Promise<Pick<TransferReport, 'findings' | 'compared'>> {
  const findings: string[] = []
  const find = (finding: string): void => {
    if (findings.length < FINDINGS_MAX) findings.push(finding)
    else if (findings.length === FINDINGS_MAX) findings.push('and more')
  }
  const expected = await digestsOf(source, target, signal)
  const compared = expected.size
  for await (const carried of target.objects()) {
    signal.throwIfAborted()
    const title = titleOf(carried)
    const digest = expected.get(title)
    if (digest === undefined) {
      if (isInTheWay(carried, target)) find(`${title} is in ${target.name} alone`)
      continue
    }
    if (digest !== digestOf(carried, target)) find(`${title} is not the same in ${target.name}`)
    expected.delete(title)
  }
  for (const title of expected.keys()) find(`${title} is missing in ${target.name}`)
  return { findings, compared }
}

/** Half a million objects are held as digests, not as texts. */
const digestOf = ({ object }: Carried, target: Target): string =>
  hash('sha256', formOf(object, target.comparable), 'base64')
