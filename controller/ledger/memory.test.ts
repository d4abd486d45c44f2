/** Runs the Ledger contract on the ledger in memory. */
import { ledgerContract } from './contract.ts'
import { createMemoryLedger } from './memory.ts'

ledgerContract('memory', (clock) => ({ ledger: createMemoryLedger({ clock }), dispose: () => {} }))
