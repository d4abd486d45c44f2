/** What is computed again, and what is forgotten. */
import { expect, test } from 'vitest'
import { memoized } from './memo.ts'

test('SY30 a text is computed once while it is in use', () => {
  const asked: string[] = []
  const length = memoized((text) => {
    asked.push(text)
    return text.length
  }, 2)
  expect(['a', 'bb', 'a', 'bb', 'a'].map(length)).toEqual([1, 2, 1, 2, 1])
  expect(asked).toEqual(['a', 'bb'])
})

test('SY31 it never remembers more than two generations, and keeps what is asked for often', () => {
  const asked: string[] = []
  const same = memoized((text) => {
    asked.push(text)
    return text
  }, 2)
  for (let index = 0; index < 100; index++) {
    same('often')
    same(`once-${index}`)
  }
  expect(asked.filter((text) => text === 'often')).toHaveLength(1)
  same('once-0')
  expect(asked.filter((text) => text === 'once-0')).toHaveLength(2)
})
