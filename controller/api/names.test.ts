/** Names, labels, annotations, finalizers: what Kubernetes allows. */
import { describe, expect, test } from 'vitest'
import { annotationCauses, finalizerCauses, generatedName, isQualifiedName, labelCauses, nameCauses } from './names.ts'

describe('names', () => {
  test.each(['a', 'a-b', 'a.b.c', '0', 'x'.repeat(253)])('NA1 %j is a name', (name) => {
    expect(nameCauses(name, 'Sprite')).toEqual([])
  })
  test.each(['A', '-a', 'a-', 'a..b', 'a_b', 'a/b', 'x'.repeat(254), 'ä', 'a\n'])('NA1 %j is none', (name) => {
    expect(nameCauses(name, 'Sprite')).toMatchObject([{ reason: 'FieldValueInvalid', field: 'metadata.name' }])
  })
  test('NA1 an empty name is missing, a namespace is a label of 63 characters', () => {
    expect(nameCauses('', 'Sprite')).toMatchObject([{ reason: 'FieldValueRequired' }])
    expect(nameCauses('a.b', 'Namespace')).toHaveLength(1)
    expect(nameCauses('x'.repeat(64), 'Namespace')).toHaveLength(1)
    expect(nameCauses('x'.repeat(63), 'Namespace')).toEqual([])
  })
  test.each(['a', 'A_b.c-d', 'example.com/a', 'x'.repeat(63)])('NA2 %j is a qualified name', (text) => {
    expect(isQualifiedName(text)).toBe(true)
  })
  test.each(['', '/', 'a/', '/a', 'a b', '_a', 'A.com/x', 'a/b/c', 'x'.repeat(64)])('NA2 %j is none', (text) => {
    expect(isQualifiedName(text)).toBe(false)
  })
  test('NA3 labels, annotations and finalizers name the field that is wrong', () => {
    expect(labelCauses({ ok: 'fine', 'b d': 'x', value: 'no spaces' })).toHaveLength(2)
    expect(labelCauses({ empty: '' })).toEqual([])
    expect(annotationCauses({ 'Example.com/Any': 'any text\n', '': 'x' })).toHaveLength(2)
    expect(annotationCauses({ a: 'x'.repeat(256 * 1024 - 1) })).toEqual([])
    expect(annotationCauses({ a: 'x'.repeat(256 * 1024) })).toMatchObject([{ reason: 'FieldValueTooLong' }])
    expect(finalizerCauses(['example.com/a', 'orphan', 'foregroundDeletion'])).toEqual([])
    expect(finalizerCauses(['a'])).toEqual([])
    expect(finalizerCauses(['a b/c'])).toMatchObject([{ field: 'metadata.finalizers' }])
  })
  test('NA4 a generated name keeps its prefix within 63 characters', () => {
    const name = generatedName('x'.repeat(100), Uint8Array.of(0, 1, 2, 255, 26))
    expect(name).toMatch(/^x{58}[a-z0-9]{5}$/)
    expect(generatedName('w-', Uint8Array.of(0, 0, 0, 0, 0))).toBe('w-bbbbb')
  })
})
