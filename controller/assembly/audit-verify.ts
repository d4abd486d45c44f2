/** Reads files of the audit log, the oldest first, and says where their chain breaks. */
import { createReadStream } from 'node:fs'
import { CHAIN_START, CHANGED, chainBegun, nextLine, type ChainState } from './audit-chain.ts'

/** What was found: how far the chain is whole, and the first place where it is not. */
export type AuditVerdict = {
  readonly lines: number
  /** Lines that a crash cut off, each followed by one that says so. */
  readonly tornLines: number
  /** Whether the first line is the first that was ever written. */
  readonly isFromStart: boolean
  /** The hash of the last good line: to compare with one that was noted elsewhere. */
  readonly last?: string
  /** Whether the line whose hash was asked for is there. */
  readonly hasExpected: boolean
  /** The last line has no end: it is being written, or a crash cut it off. */
  readonly hasOpenEnd: boolean
  readonly broken?: { readonly file: string; readonly line: number; readonly problem: string }
}

/** A longer line is none of the log's. */
const LINE_BYTES_MAX = 1_048_576

/** Follows the chain through the files in this order, and looks for a hash that was noted. Rejects with node's error when one cannot be read. */
export async function verifyAuditFiles(files: readonly string[], expected?: string): Promise<AuditVerdict> {
  let before = { lines: 0, tornLines: 0 }
  let hasExpected = false
  const onLine = ({ first, last }: ChainState): void => {
    if (expected !== undefined && (last === expected || first === expected)) hasExpected = true
  }
  let chain = chainBegun()
  let hasOpenEnd = false
  for (const file of files) {
    const read = await followFile(
      file,
      {
        ...chainBegun(chain.last),
        ...(chain.first === undefined ? {} : { first: chain.first }),
      },
      onLine,
    )
    chain = read.chain
    hasOpenEnd = read.hasOpenEnd
    const so = { lines: before.lines + chain.lines, tornLines: before.tornLines + chain.tornLines }
    if (read.broken !== undefined)
      return verdictOf(chain, { ...so, hasOpenEnd, hasExpected, broken: { file, ...read.broken } })
    before = so
  }
  return verdictOf(chain, { ...before, hasOpenEnd, hasExpected })
}

const verdictOf = ({ first, last }: ChainState, rest: Omit<AuditVerdict, 'isFromStart' | 'last'>): AuditVerdict => ({
  ...rest,
  isFromStart: first === CHAIN_START,
  ...(last === undefined ? {} : { last }),
})

type Followed = {
  readonly chain: ChainState
  readonly hasOpenEnd: boolean
  readonly broken?: { readonly line: number; readonly problem: string }
}

async function followFile(file: string, begun: ChainState, onLine: (chain: ChainState) => void): Promise<Followed> {
  let chain = begun
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    let from = 0
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10, from)) {
      const next = nextLine(chain, rest.subarray(from, end))
      if ('problem' in next) return { chain, hasOpenEnd: false, broken: next }
      chain = next
      onLine(chain)
      from = end + 1
    }
    rest = rest.subarray(from)
    if (rest.length > LINE_BYTES_MAX)
      return { chain, hasOpenEnd: false, broken: { line: chain.lines + 1, problem: CHANGED } }
  }
  const { lines, torn } = chain
  if (torn !== undefined) return { chain, hasOpenEnd: false, broken: { line: lines, problem: CHANGED } }
  return { chain, hasOpenEnd: rest.length > 0 }
}
