/** Reads what the ledger's scripts answer. Pure. */
import { assert } from '../../../system/assert.ts'
import type { Balance, ReserveOutcome } from '../ledger.ts'

/** Where an account stood when a script answered. */
export type Position = {
  /** 0 when there is no account. */
  readonly epoch: number
  readonly sequence: number
  /** The calendar month by Redis' clock. */
  readonly month: string
}

/** An answer of a script. */
export type Answer = Position &
  (
    | { readonly status: 'ANSWER'; readonly outcome: ReserveOutcome; readonly counted: string }
    | { readonly status: 'BALANCE'; readonly balance: Balance }
    | { readonly status: 'CEILING'; readonly period: string; readonly need: number; readonly ceiling: number }
    | { readonly status: 'RECOUNT'; readonly period: string }
    | { readonly status: 'LOST' | 'BROKEN' | 'CLOCK' | 'DONE' | 'BUILT' | 'STALE' }
  )

/** The answer in a reply; throws AssertionError on what no script of ours says. */
export function readAnswer(reply: unknown): Answer {
  assert(Array.isArray(reply), 'The scripts of the ledger answer with a list')
  const [status, ...fields] = reply.map(String)
  const [epoch, sequence, month = '', first = '', second = '', third = ''] = fields
  const position = { epoch: numberOf(epoch), sequence: numberOf(sequence), month }
  switch (status) {
    case 'ANSWER':
      return { ...position, status, ...readOutcome(first) }
    case 'BALANCE':
      return { ...position, status, balance: { spent: numberOf(first), reserved: numberOf(second) } }
    case 'CEILING':
      return { ...position, status, period: first, need: numberOf(second), ceiling: numberOf(third) }
    case 'RECOUNT':
      return { ...position, status, period: first }
    case 'LOST':
    case 'BROKEN':
    case 'CLOCK':
    case 'DONE':
    case 'BUILT':
    case 'STALE':
      return { ...position, status }
    default:
      assert(false, 'The scripts of the ledger answer with a status of theirs')
  }
}

/** `granted spent reserved available month`, as RESERVE packs it. */
function readOutcome(text: string): { readonly outcome: ReserveOutcome; readonly counted: string } {
  const [granted, spent, reserved, available, counted = ''] = text.split(' ')
  const balance = { spent: numberOf(spent), reserved: numberOf(reserved) }
  if (granted === '1') return { outcome: { granted: true, balance }, counted }
  return { outcome: { granted: false, balance, available: numberOf(available) }, counted }
}

function numberOf(text: string | undefined): number {
  const value = Number(text)
  assert(Number.isSafeInteger(value), 'The scripts of the ledger answer with whole numbers')
  return value
}
