/** What is said of an address or a port on which nothing can listen. */
import { expect, it } from 'vitest'
import { ListenError } from './door.ts'

it('CLI2 names the flag that helps: another port where that is taken, another address where it is not of this machine', () => {
  const at = { host: '10.9.9.9', port: 8443, flag: '--port' } as const
  expect(new ListenError('EADDRINUSE', at).message).toBe(
    'Cannot listen on port 8443 (EADDRINUSE): choose another with --port, 0 takes a free one',
  )
  expect(new ListenError('EADDRNOTAVAIL', at).message).toBe(
    'Cannot listen on "10.9.9.9" (EADDRNOTAVAIL): give --host an address of this machine, or 0.0.0.0 for all of them',
  )
})
