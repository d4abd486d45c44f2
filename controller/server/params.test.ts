/** Tests of the query parameters and of the Accept header. */
import { describe, expect, it } from 'vitest'
import { hasReason } from '../api/errors.ts'
import { discoveryVersionOf, representationOf } from './accept.ts'
import {
  goBoolean,
  includeObjectOf,
  isWatch,
  listParams,
  propagationPolicyOf,
  watchParams,
  writeParams,
} from './params.ts'

const query = (text: string): URLSearchParams => new URLSearchParams(text)
const refusal = (run: () => unknown): string => {
  try {
    run()
  } catch (error) {
    if (hasReason(error, 'Invalid', 'BadRequest', 'NotAcceptable')) return error.reason
    throw error
  }
  return 'none'
}

describe('parameters', () => {
  it.each([
    [null, false],
    ['0', false],
    ['false', false],
    ['False', false],
    ['True', true],
    ['1', true],
    ['', true],
    ['yes', true],
  ])('SV3 boolean %j is %s, as in Go', (value, expected) => {
    expect(goBoolean(value)).toBe(expected)
  })

  it('SV3 a Python client watches with watch=True', () => {
    expect(isWatch(query('watch=True'))).toBe(true)
    expect(isWatch(query(''))).toBe(false)
  })

  it('SV3 write parameters have the defaults of kube-apiserver', () => {
    expect(writeParams(query(''), 'kubectl/v1.33 (linux)')).toEqual({
      dryRun: false,
      fieldManager: 'kubectl',
      fieldValidation: 'Warn',
    })
    expect(writeParams(query('dryRun=All&fieldManager=m&fieldValidation='), undefined)).toEqual({
      dryRun: true,
      fieldManager: 'm',
      fieldValidation: 'Warn',
    })
  })

  it.each([
    'dryRun=some',
    'dryRun=All&dryRun=None',
    `fieldManager=${'m'.repeat(129)}`,
    'fieldManager=%00',
    'fieldValidation=Loose',
  ])('SV3 %s is refused', (text) => {
    expect(refusal(() => writeParams(query(text), 'x'))).toBe('Invalid')
  })

  it('SV3 list parameters are passed on, limit 0 is none', () => {
    expect(listParams(query('limit=0&labelSelector=a%3Db&fieldSelector=&resourceVersion=0'))).toEqual({
      labelSelector: 'a=b',
      resourceVersion: '0',
    })
    expect(listParams(query('limit=5&continue=t'))).toEqual({ limit: 5, continue: 't' })
  })

  it.each([
    ['sendInitialEvents=true', 'Invalid'],
    ['resourceVersionMatch=Exact', 'Invalid'],
    ['resourceVersionMatch=Exact&resourceVersion=0', 'Invalid'],
    ['resourceVersionMatch=Some&resourceVersion=4', 'Invalid'],
    ['resourceVersionMatch=Exact&resourceVersion=4&continue=t', 'Invalid'],
    ['timeoutSeconds=x', 'BadRequest'],
    ['limit=x', 'BadRequest'],
    ['resourceVersion=abc', 'BadRequest'],
    [`labelSelector=${'x'.repeat(10_001)}`, 'BadRequest'],
  ])('SV3 list with %s is refused as %s', (text, reason) => {
    expect(refusal(() => listParams(query(text)))).toBe(reason)
  })

  it('SV3 watch parameters: initial events need NotOlderThan', () => {
    expect(
      watchParams(
        query('sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=1&timeoutSeconds=3'),
      ),
    ).toEqual({ sendInitialEvents: true, allowBookmarks: true, timeoutSeconds: 3 })
    expect(refusal(() => watchParams(query('sendInitialEvents=true')))).toBe('Invalid')
    expect(refusal(() => watchParams(query('resourceVersionMatch=NotOlderThan&resourceVersion=1')))).toBe('Invalid')
  })

  it('SV3 includeObject and propagationPolicy take their closed sets', () => {
    expect(includeObjectOf(query(''))).toBe('Metadata')
    expect(includeObjectOf(query('includeObject=Object'))).toBe('Object')
    expect(refusal(() => includeObjectOf(query('includeObject=all')))).toBe('BadRequest')
    expect(propagationPolicyOf('Foreground')).toBe('Foreground')
    expect(propagationPolicyOf('')).toBeUndefined()
    expect(refusal(() => propagationPolicyOf('Sideways'))).toBe('Invalid')
  })
})

describe('Accept', () => {
  const KUBECTL_TABLE =
    'application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json'
  it.each([
    [undefined, { as: 'Object' }],
    ['*/*', { as: 'Object' }],
    ['application/json, */*', { as: 'Object' }],
    ['application/vnd.kubernetes.protobuf,application/json', { as: 'Object' }],
    [KUBECTL_TABLE, { as: 'Table', version: 'v1' }],
    ['application/json;as=Table;v=v1beta1;g=meta.k8s.io', { as: 'Table', version: 'v1beta1' }],
    ['application/json;as=Other;v=v1;g=meta.k8s.io,application/json', { as: 'Object' }],
    [
      'application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json',
      { as: 'PartialObjectMetadata', version: 'v1' },
    ],
    ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', { as: 'Object' }],
  ])('SV4 %s', (accept, expected) => {
    expect(representationOf(accept)).toEqual(expected)
  })

  it('SV4 what cannot be given is NotAcceptable', () => {
    expect(refusal(() => representationOf('text/html'))).toBe('NotAcceptable')
    expect(refusal(() => representationOf('application/vnd.kubernetes.protobuf'))).toBe('NotAcceptable')
  })

  it.each([
    [
      'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json',
      'v2',
    ],
    ['application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json', 'v2beta1'],
    ['application/json', undefined],
    [undefined, undefined],
  ])('SV9 discovery asked as %s is answered as %s', (accept, version) => {
    expect(discoveryVersionOf(accept)).toBe(version)
  })
})
