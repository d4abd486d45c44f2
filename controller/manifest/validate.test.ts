/** Checking manifests: every problem at its line and column, in words that say what would do. */
import { describe, expect, it } from 'vitest'
import { resourceOf } from '../api/resource-of.ts'
import { KINDS } from '../kinds/kinds.ts'
import { readManifests } from './read.ts'
import { checkManifest, formatProblem, resourceOfManifest } from './validate.ts'

const resources = [
  ...KINDS.map((kind) => resourceOf(kind)),
  {
    group: '',
    version: 'v1',
    kind: 'Namespace',
    plural: 'namespaces',
    singular: 'namespace',
    shortNames: [],
    categories: [],
    scope: 'Cluster' as const,
    description: 'A namespace.',
    hasStatus: true,
    columns: [],
    selectableFields: [],
  },
]

function lines(text: string): string[] {
  const { documents, problems } = readManifests(text, { file: 'f.yaml' })
  return [...problems, ...documents.flatMap((document) => checkManifest(document, resources))].map(formatProblem)
}

const object = (kind: string, rest: string): string =>
  `apiVersion: sprites.highera.com/v1alpha1\nkind: ${kind}\n${rest}`
const sprite = (spec: string): string =>
  object('Sprite', `metadata: {name: copy}\nspec:\n  agentType: copywriter\n${spec}`)

describe('checkManifest', () => {
  it('MF7 finds nothing wrong with what is right', () => {
    expect(lines(sprite('  runPolicy: Always\n  regions: [fra]\n'))).toEqual([])
    expect(lines('apiVersion: v1\nkind: Namespace\nmetadata:\n  name: acme\n')).toEqual([])
  })

  it.each([
    [
      '  runPolicy: Sometimes\n',
      'f.yaml:6:14: spec.runPolicy: Unsupported value "Sometimes": one of OnDemand, Always, Stopped',
    ],
    [
      '  runPolicy: always\n',
      'f.yaml:6:14: spec.runPolicy: Unsupported value "always": one of OnDemand, Always, Stopped (did you mean Always?)',
    ],
    [
      '  regionz: [fra]\n',
      'f.yaml:6:3: spec.regionz: Unknown field "regionz", received ["fra"] (did you mean regions?)',
    ],
    ['  quite: different\n', 'f.yaml:6:3: spec.quite: Unknown field "quite", received "different" (remove it)'],
    ['  guest:\n    cpus: "2"\n', 'f.yaml:7:11: spec.guest.cpus: Wrong type "2": expected integer'],
    [
      '  guest:\n    memoryMb: 300\n',
      'f.yaml:7:15: spec.guest.memoryMb: Invalid value: 300: should be a multiple of 256',
    ],
    [
      '  regions: [fra, X]\n',
      `f.yaml:6:18: spec.regions[1]: Invalid value: "X": should match '^[a-z0-9-]+$', received "X"`,
    ],
  ])('MF7 tells of %j', (spec, line) => {
    expect(lines(sprite(spec)).map((one) => one.replace(', received "X"', ''))).toEqual([
      line.replace(', received "X"', ''),
    ])
  })

  it('MF7 tells of a missing field at its parent, with what it is for', () => {
    expect(lines(object('Tenant', 'metadata: {name: acme}\nspec:\n  displayName: Acme\n'))).toEqual([
      'f.yaml:4:1: spec.plan: Required value is missing (Name of the Plan that the tenant has bought)',
    ])
    expect(lines(object('Tenant', 'metadata: {name: acme}\n'))[0]).toContain(
      'f.yaml:1:1: spec: Required value is missing',
    )
  })

  it('MF7 tells of a broken CEL rule', () => {
    const work = object('Work', 'metadata: {name: w}\nspec:\n  type: write_copy\n  description: Write.\n')
    expect(lines(work)).toEqual(['f.yaml:4:1: spec.agentType: Invalid value: one of agentType and sprite is needed'])
  })

  it('MF7 lists problems in the order of the file', () => {
    const found = lines(object('Sprite', 'metadata:\n  nam: x\nspec:\n  runPolicy: x\n  zz: 1\n'))
    expect(found.map((line) => line.split(':')[1])).toEqual(['3', '4', '5', '6', '7'])
  })

  it.each([
    [
      'apiVersion: sprites.highera.com/v1alpha1\nkind: Sprit\n',
      'f.yaml:2:7: kind: Unknown kind "Sprit" (did you mean Sprite?)',
    ],
    [
      'apiVersion: sprites.highera.com/v1\nkind: Sprite\n',
      'f.yaml:1:13: apiVersion: Unknown apiVersion "sprites.highera.com/v1" (did you mean sprites.highera.com/v1alpha1?)',
    ],
    [
      'apiVersion: v1\nkind: Sprite\n',
      'f.yaml:1:13: apiVersion: Kind "Sprite" is not of "v1" (write sprites.highera.com/v1alpha1)',
    ],
    ['kind: Sprite\n', 'f.yaml:1:1: apiVersion: Required value is missing (add apiVersion)'],
  ])('MF8 names the kind that was meant: %j', (text, line) => {
    expect(lines(text)).toEqual([line])
    const [document] = readManifests(text, { file: 'f.yaml' }).documents
    expect(resourceOfManifest(document?.value ?? {}, resources)).toBeUndefined()
  })

  it.each([
    ['', 'f.yaml:1:1: metadata: Required value is missing (add metadata.name)'],
    ['metadata: {}\n', 'f.yaml:3:1: metadata.name: Required value is missing (add a name)'],
    ['metadata: [a]\n', 'f.yaml:3:1: metadata: Wrong type ["a"]: expected object'],
    [
      'metadata: {name: Copy}\n',
      'f.yaml:3:18: metadata.name: Invalid name "Copy" (use lower-case letters, digits and dashes, at most 253 characters)',
    ],
    [
      'metadata: {name: a, namespace: A}\n',
      'f.yaml:3:32: metadata.namespace: Invalid namespace "A" (use lower-case letters, digits and dashes)',
    ],
    [
      'metadata: {name: a, label: {}}\n',
      'f.yaml:3:21: metadata.label: Unknown field "label", received {} (did you mean labels?)',
    ],
    [
      'metadata: {name: a, labels: {b: 1}}\n',
      'f.yaml:3:33: metadata.labels.b: Wrong type 1: expected string (quote it)',
    ],
  ])('MF9 tells of bad metadata: %j', (metadata, line) => {
    expect(lines(object('Sprite', `${metadata}spec: {agentType: copywriter}\n`))).toEqual([line])
  })

  it('MF9 knows that a cluster-scoped kind has no namespace', () => {
    const tenant = object('Tenant', 'metadata: {name: a, namespace: b}\nspec: {displayName: A, plan: growth}\n')
    expect(lines(tenant)).toEqual([
      'f.yaml:3:21: metadata.namespace: Tenant has no namespace, received "b" (remove it)',
    ])
  })

  it('MF9 takes generateName for a name, and what kubectl prints for metadata', () => {
    const printed = 'metadata: {generateName: a-, uid: u, resourceVersion: "1", generation: 1, managedFields: []}\n'
    expect(lines(object('Sprite', `${printed}spec: {agentType: copywriter}\n`))).toEqual([])
  })
})
