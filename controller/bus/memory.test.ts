/** Runs the Bus contract on the bus in memory. */
import { busContract } from './contract.ts'
import { createMemoryBus } from './memory.ts'

busContract('memory', () => Promise.resolve(createMemoryBus()))
