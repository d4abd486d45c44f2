/** The failure of a command, told to a person in one line: never with a stack trace. */

/** Why a command fails; the exit code follows from it. */
export type FailureReason =
  | 'Usage'
  | 'Unreachable'
  | 'Unauthorized'
  | 'Certificate'
  | 'Refused'
  | 'NotFound'
  | 'BadInput'
  | 'TimedOut'
  | 'Environment'

/** A command cannot go on; `message` is what the person reads. Usage errors exit with 2, all others with 1. */
export class CliFailure extends Error {
  override readonly name = 'CliFailure'
  readonly reason: FailureReason

  constructor(reason: FailureReason, message: string, options?: ErrorOptions) {
    super(message, options)
    this.reason = reason
  }

  get exitCode(): 1 | 2 {
    return this.reason === 'Usage' ? 2 : 1
  }
}
