/** A story of writes told to two servers: deletions of every sort, dry runs of every verb, generated names, status. */
import { drawOf, type Subject } from '../apply-steps.ts'
import { firstDifference, seen } from './seen.ts'
import { collectionOf, type Answer, type Body, type Exchange, type Judged } from './servers.ts'
import { acceptedSpec } from './subjects.ts'

/** One line of the story: UID and VERSION in its body stand for those of the object as the server last gave it. */
type Line = Omit<Exchange, 'path'> & {
  readonly what: string
  readonly place: string
}

const MERGE = 'application/merge-patch+json'
const JSON_PATCH = 'application/json-patch+json'
const APPLY = 'application/apply-patch+yaml'
const OTHER_UID = '00000000-0000-4000-8000-000000000000'

const deletion = (options: object): object => ({ apiVersion: 'v1', kind: 'DeleteOptions', ...options })

/**
 * The story for a kind. Options stand either in the body or in the query: kube-apiserver looks at no query where there
 * is a body, and so deletes what was to be deleted dry; ours heeds both.
 */
function storyOf(subject: Subject, name: string): readonly Line[] {
  const { kind } = subject
  const place = kind.scope === 'Namespaced' ? { namespace: 'acme' } : {}
  const identity = { apiVersion: kind.apiVersion, kind: kind.kind }
  const whole = acceptedSpec(subject)
  const object = (metadata: object = {}): object => ({
    ...identity,
    metadata: { name, ...place, ...metadata },
    spec: whole,
  })
  const at = `/${name}`
  const create = (metadata: object = {}, query = ''): Line => ({
    what: `create${query}`,
    method: 'POST',
    place: query,
    body: object(metadata),
  })
  const patch = (body: object, query = ''): Line => ({
    what: `patch${query}`,
    method: 'PATCH',
    place: at + query,
    contentType: MERGE,
    body,
  })
  const remove = (options: object, query = ''): Line => ({
    what: `delete${query}`,
    method: 'DELETE',
    place: at + query,
    body: deletion(options),
  })
  const get: Line = { what: 'get', method: 'GET', place: at }
  const hold = { finalizers: ['ex.dev/f'] }
  const release = patch({ metadata: { finalizers: [] } })
  const told = { status: { ...subject.status(drawOf(6)), observedGeneration: 7 } }
  return [
    // Dry runs of what is not there, and of what is: nothing is written.
    create({}, '?dryRun=All'),
    get,
    {
      what: 'apply dry',
      method: 'PATCH',
      place: `${at}?dryRun=All&fieldManager=m`,
      contentType: APPLY,
      body: object(),
    },
    get,
    remove({}),
    create(hold),
    patch({ metadata: { labels: { a: 'b' } } }, '?dryRun=All'),
    {
      what: 'json dry',
      method: 'PATCH',
      place: `${at}?dryRun=All`,
      contentType: JSON_PATCH,
      body: [{ op: 'add', path: '/metadata/labels', value: { j: 'p' } }],
    },
    {
      what: 'replace dry',
      method: 'PUT',
      place: `${at}?dryRun=All`,
      body: object({ resourceVersion: 'VERSION', labels: { p: 'q' } }),
    },
    {
      what: 'apply dry',
      method: 'PATCH',
      place: `${at}?dryRun=All&fieldManager=m`,
      contentType: APPLY,
      body: object({ labels: { s: 't' } }),
    },
    { what: 'status dry', method: 'PATCH', place: `${at}/status?dryRun=All`, contentType: MERGE, body: told },
    remove({ dryRun: ['All'] }),
    { what: 'delete all dry', method: 'DELETE', place: '?dryRun=All' },
    patch({}, '?dryRun=Some'),
    get,
    // Preconditions.
    remove({ preconditions: { uid: OTHER_UID } }),
    remove({ preconditions: { resourceVersion: '1' } }),
    remove({ preconditions: { uid: 'UID', resourceVersion: '1' } }),
    get,
    // Marked, marked again, no new finalizer; then let go.
    remove({ preconditions: { uid: 'UID', resourceVersion: 'VERSION' } }),
    get,
    remove({}),
    patch({ metadata: { finalizers: ['ex.dev/f', 'ex.dev/g'] } }),
    patch({ metadata: { labels: { still: 'here' } } }),
    { what: 'status of what is going', method: 'PATCH', place: `${at}/status`, contentType: MERGE, body: told },
    create(),
    get,
    release,
    get,
    // What becomes of dependents: by policy, by the old field, by what cannot be.
    create(),
    remove({ propagationPolicy: 'Foreground' }),
    get,
    release,
    get,
    create(),
    remove({ propagationPolicy: 'Orphan' }),
    get,
    remove({ propagationPolicy: 'Background' }),
    get,
    release,
    create(),
    remove({ propagationPolicy: 'Sometimes' }),
    { what: 'delete by query', method: 'DELETE', place: `${at}?propagationPolicy=Foreground` },
    release,
    create(),
    remove({ propagationPolicy: 'Background', orphanDependents: true }),
    remove({ orphanDependents: true }),
    release,
    create(),
    remove({ gracePeriodSeconds: 0 }),
    // Status is written at its own place alone.
    create(hold),
    {
      what: 'status',
      method: 'PATCH',
      place: `${at}/status`,
      contentType: MERGE,
      body: { ...told, spec: {}, metadata: { labels: { no: 'no' } } },
    },
    patch({ status: { observedGeneration: 9 } }),
    {
      what: 'replace status',
      method: 'PUT',
      place: `${at}/status`,
      body: { ...object({ resourceVersion: 'VERSION' }), status: { observedGeneration: 8 } },
    },
    {
      what: 'replace status of old',
      method: 'PUT',
      place: `${at}/status`,
      body: { ...object({ resourceVersion: '1' }), status: {} },
    },
    { what: 'get status', method: 'GET', place: `${at}/status` },
    { what: 'delete status', method: 'DELETE', place: `${at}/status` },
    { what: 'create status', method: 'POST', place: `${at}/status`, body: object() },
    // Replaces: of nothing, without a version, of an old one, by another name.
    {
      what: 'replace nothing',
      method: 'PUT',
      place: '/verbs-none',
      body: { ...object({ name: 'verbs-none', resourceVersion: '1' }) },
    },
    { what: 'replace blindly', method: 'PUT', place: at, body: object() },
    { what: 'replace old', method: 'PUT', place: at, body: object({ resourceVersion: '1' }) },
    {
      what: 'replace another',
      method: 'PUT',
      place: at,
      body: object({ name: 'verbs-other', resourceVersion: 'VERSION' }),
    },
    {
      what: 'replace another uid',
      method: 'PUT',
      place: at,
      body: object({ uid: OTHER_UID, resourceVersion: 'VERSION' }),
    },
    {
      what: 'create by a generated name',
      method: 'POST',
      place: '',
      body: { ...identity, metadata: { generateName: 'verbs-g-', ...place }, spec: whole },
    },
    {
      what: 'create without a name',
      method: 'POST',
      place: '',
      body: { ...identity, metadata: { ...place }, spec: whole },
    },
    { what: 'delete all', method: 'DELETE', place: '', body: deletion({ propagationPolicy: 'Background' }) },
    release,
    { what: 'delete all of nothing', method: 'DELETE', place: '' },
    { what: 'list', method: 'GET', place: '' },
  ]
}

/** Tells the story; the first difference, if any. */
export async function runVerbs(
  subject: Subject,
  name: string,
  servers: { readonly ours: Judged; readonly theirs: Judged },
): Promise<string | undefined> {
  const collection = collectionOf(subject.kind)
  const live = { ours: {} as Body, theirs: {} as Body }
  for (const [index, line] of storyOf(subject, name).entries()) {
    const answers = await Promise.all(
      (['ours', 'theirs'] as const).map(async (side): Promise<Answer> => {
        const metadata = live[side].metadata ?? {}
        const text = JSON.stringify(line.body ?? null)
          .replaceAll('"UID"', JSON.stringify(metadata['uid'] ?? OTHER_UID))
          .replaceAll('"VERSION"', JSON.stringify(metadata['resourceVersion'] ?? '1'))
        const body: unknown = JSON.parse(text)
        const answer = await servers[side].send({ ...line, path: collection + line.place, body: body ?? undefined })
        const now = await servers[side].send({ method: 'GET', path: `${collection}/${name}` })
        live[side] = now.code === 200 ? now.body : live[side]
        return answer
      }),
    )
    const [mine, its] = answers.map((answer) => unnamed(seen(answer)))
    const found = firstDifference(mine, its)
    if (found !== undefined)
      return JSON.stringify({ ...found, line: index, what: line, said: answers.map(({ body }) => body.message) })
  }
  return undefined
}

/** A generated name without what is drawn of it. */
const unnamed = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value).replaceAll(/"verbs-g-[a-z0-9]{5}"/g, '"verbs-g-"'))
