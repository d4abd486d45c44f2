/** Resources and CRDs of all kinds: what Kubernetes asks of them beyond the schema. */
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { KINDS } from '../kinds/kinds.ts'
import { defineKind } from './define-kind.ts'
import { crdOf, resourceOf, schemaOf } from './resource-of.ts'
import type { StructuralSchema } from './schema/structural.ts'

const kind = defineKind({
  kind: 'Thing',
  plural: 'things',
  singular: 'thing',
  shortNames: ['th'],
  scope: 'Cluster',
  description: 'A thing.',
  spec: z.object({ a: z.string().max(5) }),
  status: z.object({ observedGeneration: z.int().optional() }),
  columns: [{ name: 'A', type: 'string', jsonPath: '.spec.a', description: 'A.' }],
  selectableFields: ['spec.a'],
  rules: [
    { at: '', rule: "self.metadata.name != 'x'", message: 'not x', fieldPath: '.metadata.name' },
    { at: 'spec', rule: 'self.a == oldSelf.a', message: 'a is immutable' },
  ],
  reasons: { Good: 'It is good.' },
})

describe('resourceOf', () => {
  it('SC16 makes the schema of a kind once', () => {
    expect(resourceOf(kind).schema).toBe(resourceOf(kind).schema)
    expect(resourceOf(kind).schema).toBe(schemaOf(kind))
  })

  it('SC16 puts rules on the object and on its spec', () => {
    const schema = schemaOf(kind)
    expect(schema['x-kubernetes-validations']).toEqual([
      { rule: "self.metadata.name != 'x'", message: 'not x', fieldPath: '.metadata.name' },
    ])
    expect(schema.properties?.['spec']?.['x-kubernetes-validations']).toEqual([
      { rule: 'self.a == oldSelf.a', message: 'a is immutable' },
    ])
  })

  it('SC16 requires a spec that has fields, and defaults one that has none', () => {
    expect(schemaOf(kind).required).toEqual(['spec'])
    const empty = schemaOf({ ...kind, spec: z.object({}), rules: [] })
    expect(empty.required).toBeUndefined()
    expect(empty.properties?.['spec']?.default).toEqual({})
  })

  it('SC16 takes an admission as given', () => {
    const admission = { needs: () => [], admit: () => [] }
    expect(resourceOf(kind, admission).admission).toBe(admission)
    expect('admission' in resourceOf(kind)).toBe(false)
  })

  it('SC17 starts every kind with status.observedGeneration -1', () => {
    for (const one of KINDS) {
      expect(schemaOf(one).properties?.['status']?.default).toEqual({ observedGeneration: -1 })
    }
  })
})

describe('crdOf', () => {
  it('SC18 has names, scope, columns, selectable fields and the status subresource', () => {
    const crd = crdOf(resourceOf(kind), kind.reasons)
    expect(crd.metadata.name).toBe('things.sprites.highera.com')
    expect(crd.spec.scope).toBe('Cluster')
    expect(crd.spec.names).toEqual({
      categories: ['fleet'],
      kind: 'Thing',
      listKind: 'ThingList',
      plural: 'things',
      shortNames: ['th'],
      singular: 'thing',
    })
    expect(crd.spec.versions[0]).toMatchObject({
      name: 'v1alpha1',
      served: true,
      storage: true,
      subresources: { status: {} },
      selectableFields: [{ jsonPath: '.spec.a' }],
      additionalPrinterColumns: [{ name: 'A', type: 'string', jsonPath: '.spec.a', description: 'A.' }],
    })
  })

  it('SC18 writes the catalogue of reasons where kubectl explain shows it', () => {
    const sprite = KINDS.find((one) => one.kind === 'Sprite')
    if (sprite === undefined) throw new Error('no kind Sprite')
    const text = JSON.stringify(crdOf(resourceOf(sprite), sprite.reasons))
    for (const [reason, sentence] of Object.entries(sprite.reasons)) {
      expect(text).toContain(JSON.stringify(`${reason}: ${sentence}`).slice(1, -1))
    }
  })

  it.each(KINDS.map((one) => [one.kind, one] as const))('SC18 keeps the names of %s apart', (_, one) => {
    const others = KINDS.filter((other) => other !== one)
    const names = (known: typeof one): string[] => [...(known.shortNames ?? []), known.plural, known.singular]
    for (const name of names(one)) {
      // A category or short name that is another kind's name makes kubectl list the wrong thing.
      expect(one.categories).not.toContain(name)
      expect(others.flatMap(names)).not.toContain(name)
    }
    expect(one.selectableFields ?? []).not.toHaveProperty('8')
  })

  it.each(KINDS.map((one) => [one.kind, one] as const))('SC19 describes and bounds every field of %s', (_, one) => {
    const flaws: string[] = []
    const visit = (schema: StructuralSchema, path: string): void => {
      const isItem = path.endsWith('[]')
      if (schema.description === undefined && !isItem) flaws.push(`${path} has no description`)
      if (schema.type === 'array' && schema.maxItems === undefined) flaws.push(`${path} has no maxItems`)
      const isOpenText = schema.type === 'string' && schema.maxLength === undefined
      if (isOpenText && schema.enum === undefined && schema.format === undefined) flaws.push(`${path} has no maxLength`)
      if (schema.items) visit(schema.items, `${path}[]`)
      for (const [name, child] of Object.entries(schema.properties ?? {})) visit(child, `${path}.${name}`)
    }
    for (const part of ['spec', 'status']) visit(schemaOf(one).properties?.[part] ?? {}, part)
    expect(flaws).toEqual([])
  })
})
