/**
 * The Bus port: wake-ups between processes. Messages are hints, the store is the truth: a lost, doubled or reordered
 * message changes latency and nothing else.
 *
 * Contract (bus/contract.ts):
 *  BU1 A subscriber gets messages published to its channel after `subscribe` resolved, at most once each, in the order
 *      of one publisher. BU2 publish never waits for subscribers; BU3 a listener that throws disturbs nobody.
 *  BU4 A bus that may have missed messages says until when: who concludes anything from silence asks deafUntilMs.
 */
/** The port for wake-ups and messages; its rules stand above. */
export interface Bus {
  publish(channel: string, message: object): Promise<void>
  /** Channel names are exact; a trailing `*` subscribes to every channel with that prefix. The result ends it. */
  subscribe(channel: string, listener: (message: unknown, channel: string) => void): Promise<() => Promise<void>>
  /**
   * Until when messages to this process may have been missed, ms since 1970: the present while the bus is away, 0 when
   * it never was. Silence up to then says nothing.
   */
  deafUntilMs(): number
  close(): Promise<void>
}
