/** What the contract suite of the Client port stands on: a client in an empty namespace, and words to use it. */
import { hasReason, type Reason } from '../api/errors.ts'
import type { Key } from '../api/object.ts'
import { reviewKind, type Review } from '../kinds/review/schema.ts'
import { userKind, type User } from '../kinds/user/schema.ts'
import type { Client } from './client.ts'

export type ClientFixture = {
  readonly client: Client
  /** An existing namespace, empty of the product's kinds. */
  readonly namespace: string
  /** Cuts every connection between client and server; absent where there is none. */
  readonly interrupt?: () => Promise<void>
  /** Lets the server forget every change up to now; absent where a test cannot. */
  readonly forget?: () => Promise<void>
  readonly dispose: () => Promise<void>
}

/** Makes a client to a server that serves the product's kinds without their admission. */
export type MakeClient = () => Promise<ClientFixture>

export type Room = Required<Pick<ClientFixture, 'client' | 'namespace' | 'interrupt'>> &
  Pick<ClientFixture, 'forget'> & {
    readonly key: (name: string) => Key
    readonly addUser: (name: string, metadata?: object, spec?: Partial<User['spec']>) => Promise<User>
    readonly addReview: (name: string) => Promise<Review>
  }

/** Makes a test of something that is done in a room. */
export type InRoom = (run: (room: Room) => Promise<void>) => () => Promise<void>

export const userSpec = { email: 'ada@example.com', role: 'member' as const }

/** The rooms of one adapter: each test has its own. */
export const roomsOf =
  (makeClient: MakeClient): InRoom =>
  (run) =>
  async () => {
    const { client, namespace, interrupt = () => Promise.resolve(), forget, dispose } = await makeClient()
    try {
      await run({
        client,
        namespace,
        interrupt,
        ...(forget === undefined ? {} : { forget }),
        key: (name) => ({ namespace, name }),
        addUser: (name, metadata = {}, spec = {}) =>
          client.create(userKind, { metadata: { name, namespace, ...metadata }, spec: { ...userSpec, ...spec } }),
        addReview: (name) =>
          client.create(reviewKind, {
            metadata: { name, namespace },
            spec: { work: 'w', artifact: 'copy', question: 'Is it good?', reviewer: 'person' },
          }),
      })
    } finally {
      await dispose()
    }
  }

/** The reason that a call fails with. */
export async function reasonOf(run: () => Promise<unknown>): Promise<Reason | 'none'> {
  try {
    await run()
    return 'none'
  } catch (error) {
    // Every reason is one of hasReason's; what is no ApiError is a bug of the adapter.
    if (error instanceof Error && 'reason' in error && hasReason(error, error.reason as Reason)) return error.reason
    throw error
  }
}
