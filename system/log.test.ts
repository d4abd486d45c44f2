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

test('LF5 an error has type, message and stack', () => {
  const error = new RangeError('It is too long')
  const line = JSON.parse(told({ error })) as { readonly error: object }
  expect(line.error).toMatchObject({ type: 'RangeError', message: 'It is too long' })
  expect(line.error).toHaveProperty('stack', expect.stringContaining('log.test.ts'))
})

test('S9 LF5 a refused command of Redis is logged without its arguments, under whatever name', () => {
  const error = Object.assign(new Error('WRONGPASS'), { command: { name: 'auth', args: ['plane', 'hunter2'] } })
  for (const name of ['error', 'err', 'cause']) expect(told({ [name]: error })).not.toContain('hunter2')
  expect(told({ error })).toContain('"auth"')
})

test('S9 LF5 values of secret names are left out, at any of three depths', () => {
  const secret = { password: 'hunter2' }
  expect(told({ ...secret, a: { ...secret, b: secret } })).not.toContain('hunter2')
})
