/** The port of the audit log: every mutation and every refusal, in the shape of audit.k8s.io. Pure: types. */

/** Who did something, as authentication.k8s.io UserInfo. */
export type AuditUser = {
  readonly username: string
  readonly groups: readonly string[]
  readonly uid?: string
  /** Which credential it was, such as the access token: a name alone may be given to many. */
  readonly extra?: Readonly<Record<string, readonly string[]>>
}

/** One request that has been answered: audit.k8s.io/v1 Event at level Metadata; no body and no token is in it. */
export type AuditEvent = {
  readonly kind: 'Event'
  readonly apiVersion: 'audit.k8s.io/v1'
  readonly level: 'Metadata'
  readonly auditID: string
  readonly stage: 'ResponseComplete'
  /** Path and query. */
  readonly requestURI: string
  /** Of the API (create, patch …), or the method in lower case elsewhere. */
  readonly verb: string
  readonly user: AuditUser
  readonly impersonatedUser?: AuditUser
  readonly sourceIPs: readonly string[]
  readonly userAgent?: string
  readonly objectRef?: {
    readonly resource: string
    readonly apiGroup?: string
    readonly apiVersion?: string
    readonly namespace?: string
    readonly name?: string
    readonly subresource?: string
    readonly uid?: string
    readonly resourceVersion?: string
  }
  readonly responseStatus: { readonly code: number; readonly reason?: string; readonly message?: string }
  /** RFC 3339 with microseconds. */
  readonly requestReceivedTimestamp: string
  readonly stageTimestamp: string
  readonly annotations?: Readonly<Record<string, string>>
}

/** Takes events in the order in which they happen; a sink that cannot write them says so itself and goes on. */
export type AuditSink = { readonly write: (event: AuditEvent) => void }

/** Keeps nothing: for a server whose requests nobody answers for, as in tests of other rooms. */
export const noAudit: AuditSink = { write: () => undefined }
