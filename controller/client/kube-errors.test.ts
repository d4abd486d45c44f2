/** What a Kubernetes API server answers becomes one of our errors, whatever comes. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { ApiError, REASON_CODES, statusOf, type Reason } from '../api/errors.ts'
import { refusalError } from './kube-errors.ts'

// The entries of a closed table keep its key type.
const reasons = Object.keys(REASON_CODES) as Reason[]

test('CL1 a Status of ours comes back as the error that it was made of', () => {
  const details = { name: 'a', group: 'g', kind: 'users', uid: 'u' }
  const cause = fc.record({ reason: fc.string(), message: fc.string(), field: fc.string({ minLength: 1 }) })
  fc.assert(
    fc.property(
      fc.constantFrom(...reasons),
      fc.string({ minLength: 1 }),
      fc.array(cause, { minLength: 1 }),
      (reason, text, causes) => {
        const error = new ApiError(reason, text, { ...details, causes })
        const read = refusalError({ code: error.code, text: JSON.stringify(statusOf(error)) })
        expect([read.reason, read.message, read.details]).toEqual([reason, text, { ...details, causes }])
      },
    ),
  )
})

test('CL1 anything else becomes an ApiError by its code, without a throw', () => {
  fc.assert(
    fc.property(fc.integer({ min: 300, max: 599 }), fc.oneof(fc.string(), fc.json()), (code, text) => {
      expect(refusalError({ code, text })).toBeInstanceOf(ApiError)
    }),
  )
})

test.each([
  [410, '{"reason":"Gone"}', 'Expired'],
  [409, '', 'Conflict'],
  [409, '{"reason":"AlreadyExists"}', 'AlreadyExists'],
  [504, '{"reason":"ServerTimeout"}', 'Timeout'],
  [502, '<html>', 'ServiceUnavailable'],
  [501, '', 'InternalError'],
  [418, '', 'BadRequest'],
  [403, '{"reason":"constructor"}', 'Forbidden'],
] as const)('CL1 %d %s is %s', (code, text, reason) => {
  expect(refusalError({ code, text }).reason).toBe(reason)
})

test('CL17 Retry-After comes along, within bounds', () => {
  const asked = (retryAfter: string) => refusalError({ code: 429, text: '', retryAfter }).details.retryAfterSeconds
  expect([asked('7'), asked('99999'), asked('-1'), asked('Wed, 21 Oct 2026 07:28:00 GMT')]).toEqual([
    7,
    300,
    undefined,
    undefined,
  ])
})
