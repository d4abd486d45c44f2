/** The store that keeps everything in memory: for tests, plans and offline validation. */
import { silentLog, type Log } from '../../system/log.ts'
import { Listeners } from './listeners.ts'
import { StoreState } from './state.ts'
import { StoreError, type Store } from './store.ts'
import { DEFAULT_WINDOW, type WindowLimits } from './window.ts'

/** Makes an empty store. Nothing of it survives the process. */
export function createMemoryStore(options: { readonly window?: WindowLimits; readonly log?: Log } = {}): Store {
  const state = new StoreState(options.window ?? DEFAULT_WINDOW)
  const listeners = new Listeners(options.log ?? silentLog)
  let isClosed = false
  const open = (): StoreState => {
    if (isClosed) throw new StoreError('Closed', 'Cannot use the store: it is closed')
    return state
  }
  return {
    read: async (key) => open().read(key),
    list: async (collection, listOptions) => open().list(collection, listOptions),
    commit: async (mutations) => {
      const changes = open().judge(state.draft(), mutations)
      state.apply(changes)
      listeners.tell(changes)
      return changes
    },
    changesSince: async (revision, { collection } = {}) => ({
      changes: open().changesSince(revision, collection),
      revision: state.revision,
    }),
    subscribe: (listener) => listeners.add(open().revision, listener),
    revision: async () => open().revision,
    close: async () => {
      isClosed = true
      listeners.clear()
    },
  }
}
