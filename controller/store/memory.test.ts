/** The memory store keeps the Store contract. */
import { storeContract } from './contract.ts'
import { createMemoryStore } from './memory.ts'

storeContract('memory', async (options = {}) => {
  const store = createMemoryStore(options)
  return { store, dispose: () => store.close() }
})
