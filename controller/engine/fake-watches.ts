/** The watches of the fake client: changes in order, bookmarks, endings and silence on demand. */
import type { KubeObject } from '../api/object.ts'
import type { WatchEvent } from '../client/client.ts'
import type { FakeChange, FakeObjects } from './fake-objects.ts'

type OpenWatch = { wake: () => void; ending: { readonly error?: Error } | undefined; bookmarks: number }

/** Every open watch, and what a test does to them. */
export class FakeWatches {
  readonly #objects: FakeObjects
  readonly #open = new Set<OpenWatch>()
  #isMuted = false

  constructor(objects: FakeObjects) {
    this.#objects = objects
    objects.onChange(() => this.#wakeAll())
  }

  get size(): number {
    return this.#open.size
  }

  /** Ends every watch: without an error, or with one. */
  end(error?: Error): void {
    for (const open of this.#open) open.ending = error === undefined ? {} : { error }
    this.#wakeAll()
  }

  bookmark(): void {
    for (const open of this.#open) open.bookmarks++
    this.#wakeAll()
  }

  mute(isMuted: boolean): void {
    this.#isMuted = isMuted
    this.#wakeAll()
  }

  /** Changes after a revision that are selected, until the signal aborts; throws Expired when they are gone. */
  async *from(
    revision: string,
    isSelected: (object: KubeObject) => boolean,
    signal: AbortSignal,
  ): AsyncIterable<WatchEvent<KubeObject>> {
    let position = this.#objects.positionAfter(Number(revision))
    const open: OpenWatch = { wake: () => {}, ending: undefined, bookmarks: 0 }
    const onAbort = (): void => open.wake()
    signal.addEventListener('abort', onAbort, { once: true })
    this.#open.add(open)
    try {
      while (!signal.aborted && !hasEnded(open)) {
        const change = this.#isMuted ? undefined : this.#objects.changeAt(position)
        if (change !== undefined) {
          position++
          const event = eventOf(change, isSelected)
          if (event !== undefined) yield event
        } else if (open.bookmarks > 0 && !this.#isMuted) {
          open.bookmarks--
          yield { type: 'BOOKMARK', resourceVersion: String(this.#objects.revision) }
        } else {
          await new Promise<void>((resolve) => {
            open.wake = resolve
          })
        }
      }
    } finally {
      signal.removeEventListener('abort', onAbort)
      this.#open.delete(open)
    }
  }

  #wakeAll(): void {
    for (const open of this.#open) open.wake()
  }
}

/** What enters the selection is ADDED to who watches it, what leaves it DELETED. */
function eventOf(
  { type, object, previous }: FakeChange,
  isSelected: (object: KubeObject) => boolean,
): WatchEvent<KubeObject> | undefined {
  const was = previous !== undefined && isSelected(previous)
  const is = type !== 'DELETED' && isSelected(object)
  if (is) return { type: was ? 'MODIFIED' : 'ADDED', object }
  return was ? { type: 'DELETED', object } : undefined
}

function hasEnded({ ending }: OpenWatch): boolean {
  if (ending?.error !== undefined) throw ending.error
  return ending !== undefined
}
