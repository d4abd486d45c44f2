/** Paths, parameters and bodies that cannot be served. */
import { BASE, FREE, HEAD, MERGE, SPRITES, create, merge, sprite, type ErrorCase } from './case.ts'

/** What the path asks for. */
export const PATHS: readonly ErrorCase[] = [
  { what: 'an unknown group', method: 'GET', path: '/apis/nothing.example.com/v1/things' },
  { what: 'an unknown version', method: 'GET', path: '/apis/sprites.highera.com/v9/namespaces/acme/sprites' },
  { what: 'an unknown resource', method: 'GET', path: 'namespaces/acme/things' },
  { what: 'an object that is not there', method: 'GET', path: `${SPRITES}/none` },
  { what: 'an unknown subresource', method: 'GET', path: `${BASE}/nothing` },
  { what: 'a create on an object', method: 'POST', path: BASE, body: sprite('base') },
  { what: 'a replace of a collection', method: 'PUT', path: SPRITES, body: sprite('base') },
  { what: 'a patch of a collection', method: 'PATCH', path: SPRITES, body: '{}', contentType: MERGE },
  { what: 'a create across namespaces', method: 'POST', path: 'sprites', body: sprite('x') },
  { what: 'a namespaced path of a cluster-scoped kind', method: 'GET', path: 'namespaces/acme/plans' },
  { what: 'a delete of what is not there', method: 'DELETE', path: `${SPRITES}/none` },
  { what: 'a delete of a status', method: 'DELETE', path: `${BASE}/status` },
]

/** Query parameters. */
export const QUERIES: readonly ErrorCase[] = [
  { what: 'a malformed label selector', method: 'GET', path: `${SPRITES}?labelSelector=a%3D%3D%3Db` },
  { what: 'a label selector with a bad key', method: 'GET', path: `${SPRITES}?labelSelector=-a%3Db` },
  {
    what: 'a label selector with a bad operator',
    method: 'GET',
    path: `${SPRITES}?labelSelector=a%20like%20b`,
    ...FREE,
  },
  { what: 'a label selector with a bad value', method: 'GET', path: `${SPRITES}?labelSelector=a%3D-b-` },
  { what: 'a malformed field selector', method: 'GET', path: `${SPRITES}?fieldSelector=nothing` },
  { what: 'an unknown field in a selector', method: 'GET', path: `${SPRITES}?fieldSelector=spec.nothing%3Da` },
  { what: 'a malformed limit', method: 'GET', path: `${SPRITES}?limit=many`, ...FREE },
  { what: 'a negative limit', method: 'GET', path: `${SPRITES}?limit=-1` },
  { what: 'a malformed continue token', method: 'GET', path: `${SPRITES}?limit=1&continue=nothing`, ...FREE },
  { what: 'a malformed resourceVersion', method: 'GET', path: `${SPRITES}?resourceVersion=abc`, ...FREE },
  {
    what: 'an unknown resourceVersionMatch',
    method: 'GET',
    path: `${SPRITES}?resourceVersion=1&resourceVersionMatch=Near`,
  },
  { what: 'a resourceVersionMatch without a version', method: 'GET', path: `${SPRITES}?resourceVersionMatch=Exact` },
  { what: 'an exact version 0', method: 'GET', path: `${SPRITES}?resourceVersion=0&resourceVersionMatch=Exact` },
  { what: 'sendInitialEvents of a list', method: 'GET', path: `${SPRITES}?sendInitialEvents=true` },
  { what: 'sendInitialEvents without a match', method: 'GET', path: `${SPRITES}?watch=1&sendInitialEvents=true` },
  { what: 'a malformed timeoutSeconds', method: 'GET', path: `${SPRITES}?watch=1&timeoutSeconds=soon`, ...FREE },
  create('an unknown dryRun', sprite('x'), { path: `${SPRITES}?dryRun=Some` }),
  create('an unknown fieldValidation', sprite('x'), { path: `${SPRITES}?fieldValidation=Sometimes` }),
  create('a field manager that is too long', sprite('x'), { path: `${SPRITES}?fieldManager=${'m'.repeat(129)}` }),
  create('a field manager with a control character', sprite('x'), { path: `${SPRITES}?fieldManager=a%07b` }),
  { what: 'an unknown propagationPolicy', method: 'DELETE', path: `${BASE}?propagationPolicy=Sideways` },
  { what: 'an unknown dryRun of a delete', method: 'DELETE', path: `${BASE}?dryRun=Some` },
]

/** Bodies that cannot be read. */
export const BODIES: readonly ErrorCase[] = [
  create('an empty body', '', FREE),
  create('a body that is no JSON', '{"apiVersion":', FREE),
  create('text after the JSON', `${sprite('x')} more`, FREE),
  create('a JSON list', '[]', FREE),
  create('a JSON text', '"text"', FREE),
  create('null', 'null', FREE),
  create('no kind', JSON.stringify({ apiVersion: HEAD.apiVersion, metadata: { name: 'x' } }), FREE),
  create('no apiVersion', JSON.stringify({ kind: 'Sprite', metadata: { name: 'x' } }), FREE),
  create('another kind', JSON.stringify({ ...HEAD, kind: 'Work', metadata: { name: 'x' } }), FREE),
  create(
    'another version',
    JSON.stringify({ ...HEAD, apiVersion: 'sprites.highera.com/v9', metadata: { name: 'x' } }),
    FREE,
  ),
  create('another group', JSON.stringify({ ...HEAD, apiVersion: 'v1', metadata: { name: 'x' } }), FREE),
  create('a kind that is a number', JSON.stringify({ ...HEAD, kind: 3, metadata: { name: 'x' } }), FREE),
  create('a body that is not UTF-8', '', { body: Uint8Array.from([0x7b, 0xff, 0xfe, 0x7d]), ...FREE }),
  create('an unknown content type', sprite('x'), { contentType: 'text/plain' }),
  create('a content type that is none', sprite('x'), { contentType: 'nonsense' }),
  create('a patch type on a create', sprite('x'), { contentType: MERGE }),
  create('YAML that is none', 'a: [b', { contentType: 'application/yaml', ...FREE }),
  create('YAML of a wrong kind', 'apiVersion: v1\nkind: Sprite\nmetadata: {name: x}\n', {
    contentType: 'application/yaml',
    ...FREE,
  }),
  merge('a patch of an unknown type', {}, { contentType: 'application/json' }),
  merge('a strategic patch', {}, { contentType: 'application/strategic-merge-patch+json' }),
  merge('a patch without a type', {}, { contentType: '' }),
]
