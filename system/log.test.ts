/** Tests of what never reaches a log. */
import { Writable } from 'node:stream'
import { expect, test } from 'vitest'
import { createLog } from './log.ts'

const told = (fields: object): string => {
  let text = ''
  const destination = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      text += chunk.toString()
      done()
    },
  })
  createLog({ level: 'info', destination }).info({ ...fields }, 'said')
  return text
}

test('S9 a refused command of Redis is logged without its arguments, under whatever name', () => {
  const error = Object.assign(new Error('WRONGPASS'), { command: { name: 'auth', args: ['plane', 'hunter2'] } })
  for (const name of ['error', 'err', 'cause']) expect(told({ [name]: error })).not.toContain('hunter2')
  expect(told({ error })).toContain('"auth"')
})

test('S9 values of secret names are left out, at any of three depths', () => {
  const secret = { password: 'hunter2' }
  expect(told({ ...secret, a: { ...secret, b: secret } })).not.toContain('hunter2')
})
