/** Writes that do not fit what is there: versions, patches, applies, duplicate keys. */
import {
  BASE,
  FREE,
  HEAD,
  JSON_PATCH,
  MERGE,
  SPRITES,
  apply,
  create,
  jsonPatch,
  merge,
  put,
  sprite,
  strict,
  type ErrorCase,
} from './case.ts'

/** Versions and names that do not fit. */
export const VERSIONS: readonly ErrorCase[] = [
  create('a name that is taken', sprite('base')),
  put('a stale resourceVersion', { resourceVersion: '1' }),
  put('no resourceVersion', {}),
  put('a malformed resourceVersion', { resourceVersion: 'abc' }, FREE),
  put('another uid', { resourceVersion: '{rv}', uid: 'other' }),
  put('another name', { name: 'other', resourceVersion: '{rv}' }),
  put('another namespace', { namespace: 'other', resourceVersion: '{rv}' }),
  put('what is not there', { name: 'none', resourceVersion: '5' }, { path: `${SPRITES}/none` }),
  merge('a stale resourceVersion', { metadata: { resourceVersion: '1' } }),
  merge('another name', { metadata: { name: 'other' } }),
  merge('another namespace', { metadata: { namespace: 'other' } }),
  merge('what is not there', {}, { path: `${SPRITES}/none` }),
  merge('labels that are a list', { metadata: { labels: [] } }, FREE),
  merge('a patch that is a list', [], FREE),
  merge('a patch that is a text', 'a', FREE),
  merge('a patch that is no JSON', {}, { body: '{', ...FREE }),
  merge('another kind', { kind: 'Work' }, FREE),
  merge('another apiVersion', { apiVersion: 'v1' }, FREE),
  merge('an unknown field, strictly', { spec: { nothing: 1 } }, strict(BASE)),
  merge('force on a merge patch', {}, { path: `${BASE}?force=true` }),
  {
    what: 'a stale precondition of a delete',
    method: 'DELETE',
    path: BASE,
    body: JSON.stringify({ preconditions: { resourceVersion: '1' } }),
  },
  {
    what: 'another uid in a precondition',
    method: 'DELETE',
    path: BASE,
    body: JSON.stringify({ preconditions: { uid: 'other' } }),
  },
  {
    what: 'DeleteOptions of a wrong kind',
    method: 'DELETE',
    path: BASE,
    body: JSON.stringify({ kind: 'Sprite', apiVersion: 'v1' }),
    ...FREE,
  },
  { what: 'DeleteOptions that are a list', method: 'DELETE', path: BASE, body: '[]', ...FREE },
  { what: 'DeleteOptions that are no JSON', method: 'DELETE', path: BASE, body: '{', ...FREE },
  {
    what: 'an unknown propagationPolicy in DeleteOptions',
    method: 'DELETE',
    path: BASE,
    body: JSON.stringify({ propagationPolicy: 'Sideways' }),
  },
]

/** JSON patches. */
export const JSON_PATCHES: readonly ErrorCase[] = [
  jsonPatch('an object', {}, FREE),
  jsonPatch('no JSON', {}, { body: '[', ...FREE }),
  jsonPatch('an unknown operation', [{ op: 'do', path: '/spec' }], FREE),
  jsonPatch('a path that is not there', [{ op: 'remove', path: '/spec/nothing' }], FREE),
  jsonPatch('a test that fails', [{ op: 'test', path: '/spec/agentType', value: 'editor' }], FREE),
  jsonPatch('no path', [{ op: 'add', value: 1 }], FREE),
  jsonPatch('an index out of bounds', [{ op: 'add', path: '/spec/regions/5', value: 'a' }], FREE),
  jsonPatch('a removal of metadata', [{ op: 'remove', path: '/metadata' }], FREE),
  jsonPatch('a kind that is a number', [{ op: 'replace', path: '/kind', value: 3 }], FREE),
  jsonPatch(
    'too many operations',
    Array.from({ length: 10_001 }, () => ({ op: 'test', path: '/kind', value: 'Sprite' })),
    FREE,
  ),
]

/** Server-side applies. */
export const APPLIES: readonly ErrorCase[] = [
  apply('no fieldManager', sprite('applied'), { path: `${SPRITES}/applied` }),
  apply('a body that is no YAML', 'a: [b', FREE),
  apply('an empty body', '', FREE),
  apply('a list', '[]', FREE),
  apply('another name', sprite('other')),
  apply('another kind', JSON.stringify({ ...HEAD, kind: 'Work', metadata: { name: 'applied' } }), FREE),
  apply('no kind', JSON.stringify({ apiVersion: HEAD.apiVersion, metadata: { name: 'applied' } }), FREE),
  apply(
    'another version',
    JSON.stringify({ ...HEAD, apiVersion: 'sprites.highera.com/v9', metadata: { name: 'applied' } }),
    FREE,
  ),
  apply('managedFields', sprite('applied', { managedFields: [{ manager: 'a', operation: 'Apply' }] }), FREE),
  apply('an unknown field, strictly', sprite('applied', {}, { agentType: 'a', nothing: 1 }), {
    path: `${SPRITES}/applied?fieldManager=cases&fieldValidation=Strict`,
    ...FREE,
  }),
  apply('a uid where there is nothing', sprite('applied', { uid: 'u' })),
  apply('a resourceVersion where there is nothing', sprite('applied', { resourceVersion: '1' })),
  apply('labels that are a list', sprite('applied', { labels: [] }), FREE),
  apply('finalizers that are a text', sprite('applied', { finalizers: 'a' }), FREE),
  apply('a spec of a wrong type', sprite('applied', {}, 'text'), FREE),
  apply('a missing field', sprite('applied', {}, {})),
  apply('a conflict', sprite('base', {}, { agentType: 'editor' }), { path: `${BASE}?fieldManager=cases` }),
]

/** Duplicate keys, in JSON and YAML. */
const DOUBLE = '"metadata":{"name":"double"},"spec":{"agentType":"a","agentType":"copywriter"}}'
const double = (what: string, rest: string, more: Partial<ErrorCase> = {}): ErrorCase =>
  create(what, `{"apiVersion":"${HEAD.apiVersion}","kind":"Sprite",${rest}`, more)
export const DUPLICATES: readonly ErrorCase[] = [
  double('a duplicate field, strictly', DOUBLE, strict(SPRITES)),
  double('a duplicate field, with a warning', DOUBLE, { path: `${SPRITES}?dryRun=All` }),
  double('a duplicate field, ignored', DOUBLE, { path: `${SPRITES}?dryRun=All&fieldValidation=Ignore` }),
  double(
    'a duplicate whose key is escaped',
    '"metadata":{"name":"double"},"spec":{"agentType":"a","agent\\u0054ype":"copywriter"}}',
    strict(SPRITES),
  ),
  double(
    'a duplicate in a list',
    '"metadata":{"name":"double","ownerReferences":[{"apiVersion":"v1","kind":"A","name":"a","uid":"u","uid":"v"}]},"spec":{"agentType":"a"}}',
    strict(SPRITES),
  ),
  double(
    'a duplicate label',
    '"metadata":{"name":"double","labels":{"a.b/c":"1","a.b/c":"2"}},"spec":{"agentType":"a"}}',
    strict(SPRITES),
  ),
  double(
    'duplicates at the top',
    '"kind":"Sprite","metadata":{"name":"double"},"metadata":{"name":"double"},"spec":{"agentType":"a"}}',
    strict(SPRITES),
  ),
  double(
    'duplicate and unknown fields',
    '"metadata":{"name":"double","nothing":1,"nothing":2},"spec":{"agentType":"a","zzz":1,"zzz":2,"agentType":"b","aaa":{"b":1,"b":2}},"other":1}',
    strict(SPRITES),
  ),
  double(
    'a field three times',
    '"metadata":{"name":"double"},"spec":{"agentType":"a","agentType":"b","agentType":"c"}}',
    strict(SPRITES),
  ),
  create(
    'a duplicate key in YAML, strictly',
    'apiVersion: sprites.highera.com/v1alpha1\nkind: Sprite\nmetadata:\n  name: double\nspec:\n  agentType: a\n  agentType: b\n',
    { contentType: 'application/yaml', ...strict(SPRITES), ...FREE },
  ),
  create(
    'a duplicate key in YAML',
    'apiVersion: sprites.highera.com/v1alpha1\nkind: Sprite\nmetadata:\n  name: double\nspec:\n  agentType: a\n  agentType: copywriter\n',
    { contentType: 'application/yaml', path: `${SPRITES}?dryRun=All`, ...FREE },
  ),
  create(
    'YAML',
    'apiVersion: sprites.highera.com/v1alpha1\nkind: Sprite\nmetadata:\n  name: yaml\nspec:\n  agentType: copywriter\n',
    { contentType: 'application/yaml', path: `${SPRITES}?dryRun=All` },
  ),
  {
    what: 'a duplicate in a merge patch, strictly',
    method: 'PATCH',
    ...strict(BASE),
    contentType: MERGE,
    body: '{"metadata":{"labels":{"a":"1","a":"2"}}}',
  },
  {
    what: 'a duplicate in a merge patch',
    method: 'PATCH',
    path: `${BASE}?dryRun=All`,
    contentType: MERGE,
    body: '{"metadata":{"labels":{"a":"1","a":"2"}}}',
  },
  {
    what: 'a duplicate in a JSON patch, strictly',
    method: 'PATCH',
    ...strict(BASE),
    contentType: JSON_PATCH,
    body: '[{"op":"test","op":"test","path":"/kind","value":"Sprite"}]',
  },
  {
    what: 'a duplicate in the value of a JSON patch, strictly',
    method: 'PATCH',
    ...strict(BASE),
    contentType: JSON_PATCH,
    body: '[{"op":"add","path":"/metadata/labels","value":{"a":"1","a":"2"}}]',
  },
  apply(
    'a duplicate in an apply, strictly',
    `{"apiVersion":"${HEAD.apiVersion}","kind":"Sprite",${DOUBLE.replaceAll('double', 'applied')}`,
    { path: `${SPRITES}/applied?fieldManager=cases&fieldValidation=Strict`, ...FREE },
  ),
  apply(
    'a duplicate in an apply',
    `{"apiVersion":"${HEAD.apiVersion}","kind":"Sprite",${DOUBLE.replaceAll('double', 'applied')}`,
    { path: `${SPRITES}/applied?fieldManager=cases&dryRun=All`, ...FREE },
  ),
  apply(
    'a duplicate key in the YAML of an apply',
    'apiVersion: sprites.highera.com/v1alpha1\nkind: Sprite\nmetadata:\n  name: applied\nspec:\n  agentType: a\n  agentType: b\n',
    { path: `${SPRITES}/applied?fieldManager=cases&dryRun=All`, ...FREE },
  ),
]
