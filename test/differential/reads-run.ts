/** Does the same writes on two servers while both are watched and listed, and tells where a client would see a difference. */
import { drawOf, type Draw, type Subject } from '../apply-steps.ts'
import { drawQuery, drawSelectors } from './queries.ts'
import { firstDifference, sameJson, seen, seenObject, versionOf } from './seen.ts'
import { collectionOf, type Answer, type Body, type Exchange, type Judged, type OpenWatch } from './servers.ts'

/** A run over one kind: rounds of writes under open watches, with lists between the writes. */
export type ReadsRun = {
  readonly subject: Subject
  readonly ours: Judged
  readonly theirs: Judged
  readonly seed: number
  /** Writes in all. */
  readonly steps: number
  /** Waits a moment of real time, for events that are on their way. */
  readonly wait: () => Promise<void>
  /** Names of objects begin so. */
  readonly prefix: string
}

/** What a run compared, and the first thing that differed. */
export type ReadsReport = {
  readonly difference: string | undefined
  readonly counts: Readonly<Record<'writes' | 'lists' | 'watches' | 'events', number>>
}

const NAMES = ['a', 'b', 'c', 'd', 'e', 'f', 'g']
const WATCHES = 6
const WRITES_PER_ROUND = 25
/** Waits for events that are late; a run on a busy machine needs some. */
const WAITS_MAX = 100

/** Versions of both servers at the same moment of the story. */
type Moment = { readonly ours: string; readonly theirs: string }
type Watched = {
  readonly query: string
  readonly ours: OpenWatch
  readonly theirs: OpenWatch
  readonly from: string
}
type Walk = { readonly query: string; readonly ours: string; readonly theirs: string; readonly at: Moment }

/** Everything that is known while a run goes on. */
type Story = {
  readonly run: ReadsRun
  readonly draw: Draw
  readonly collection: string
  readonly moments: Moment[]
  /** For every write that changed something, which it was: by version, on each side. */
  readonly written: { readonly ours: Map<number, number>; readonly theirs: Map<number, number> }
  readonly walks: Walk[]
  readonly counts: Record<'writes' | 'lists' | 'watches' | 'events', number>
}

/** Runs all rounds, until something differs. */
export async function runReads(run: ReadsRun): Promise<ReadsReport> {
  const story: Story = {
    run,
    draw: drawOf(run.seed),
    collection: collectionOf(run.subject.kind),
    moments: [],
    written: { ours: new Map(), theirs: new Map() },
    walks: [],
    counts: { writes: 0, lists: 0, watches: 0, events: 0 },
  }
  let difference = await sync(story)
  while (difference === undefined && story.counts.writes < run.steps) difference = await round(story)
  return { difference, counts: story.counts }
}

const both = async (story: Story, ours: Exchange, theirs: Exchange = ours): Promise<readonly [Answer, Answer]> =>
  Promise.all([story.run.ours.send(ours), story.run.theirs.send(theirs)])

function differ(what: unknown, ours: unknown, theirs: unknown): string | undefined {
  const found = firstDifference(ours, theirs)
  return found === undefined ? undefined : JSON.stringify({ ...found, what, whole: [ours, theirs] })
}

/** Opens watches, writes and lists under them, and compares what they told. */
async function round(story: Story): Promise<string | undefined> {
  const watched: Watched[] = []
  try {
    const late = await sync(story)
    if (late !== undefined) return late
    for (let count = 0; count < WATCHES; count += 1) watched.push(await openWatch(story))
    for (let count = 0; count < WRITES_PER_ROUND; count += 1) {
      const difference = (await write(story)) ?? (story.draw.chance(0.6) ? await list(story) : undefined)
      if (difference !== undefined) return difference
    }
    return await compareWatches(story, watched)
  } finally {
    for (const one of watched) await Promise.all([one.ours.close(), one.theirs.close()])
  }
}

/**
 * Writes one object of its own: its versions are of the same moment on both sides, and in the collection's own past. A
 * version of the whole server may be one that its cache of this collection never hears of.
 */
async function sync(story: Story): Promise<string | undefined> {
  const { run, collection } = story
  const { kind } = run.subject
  const place = kind.scope === 'Namespaced' ? { namespace: 'acme' } : {}
  const metadata = { name: `${run.prefix}-sync`, ...place, annotations: { sync: String(story.moments.length) } }
  const body = { apiVersion: kind.apiVersion, kind: kind.kind, metadata, spec: run.subject.spec(drawOf(1), true) }
  const patch = { metadata: { annotations: metadata.annotations } }
  const path = `${collection}/${metadata.name}`
  let [mine, its] = await both(story, { method: 'PATCH', path, contentType: MERGE, body: patch })
  if (its.code === 404) [mine, its] = await both(story, { method: 'POST', path: collection, body })
  remember(story, mine, its)
  return differ('sync', seen(mine), seen(its)) ?? (await wholeList(story))
}

async function wholeList(story: Story): Promise<string | undefined> {
  const [mine, its] = await both(story, { method: 'GET', path: story.collection })
  return differ('the whole list', seen(mine), seen(its))
}

/** Takes down the versions of a write that both have done. */
function remember({ counts, written, moments }: Story, mine: Answer, its: Answer): void {
  const [left, right] = [versionOf(mine.body), versionOf(its.body)]
  if (its.code > 299 || !Number.isFinite(left) || !Number.isFinite(right)) return
  // A write of nothing has the version of an older one.
  if (!written.ours.has(left)) written.ours.set(left, counts.writes)
  if (!written.theirs.has(right)) written.theirs.set(right, counts.writes)
  moments.push({ ours: String(left), theirs: String(right) })
}

async function openWatch(story: Story): Promise<Watched> {
  const { draw, run, collection } = story
  const at = draw.pick(story.moments.slice(-20) as [Moment, ...Moment[]]) // there is one from the start
  const selectors = drawSelectors(draw, run.subject.kind, { malformed: 0.05 })
  const from = draw.pick(['version', 'version', 'zero', 'unset', 'initial'])
  const queryOf = (side: keyof Moment): string => {
    const query = new URLSearchParams({ watch: 'true', ...selectors })
    if (from === 'version') query.set('resourceVersion', at[side])
    // With this etcd the oracle cannot tell where initial events end: there it gives those of version 0.
    if (from === 'zero' || (from === 'initial' && side === 'theirs')) query.set('resourceVersion', '0')
    if (from === 'initial' && side === 'ours') {
      query.set('sendInitialEvents', 'true')
      query.set('resourceVersionMatch', 'NotOlderThan')
      query.set('allowWatchBookmarks', 'true')
    }
    return `${collection}?${query.toString()}`
  }
  await catchUp(story)
  const [ours, theirs] = await Promise.all([run.ours.watch(queryOf('ours')), run.theirs.watch(queryOf('theirs'))])
  story.counts.watches += 1
  await settled(story, { ours, theirs })
  return { query: `${from} ${JSON.stringify(selectors)}`, ours, theirs, from }
}

/** A cache may be behind: who reads from it at its own version sees what has been written. */
async function catchUp({ run, collection, moments }: Story): Promise<void> {
  const fresh = new URLSearchParams({
    resourceVersion: moments.at(-1)?.theirs ?? '0',
    resourceVersionMatch: 'NotOlderThan',
  })
  await run.theirs.send({ method: 'GET', path: `${collection}?${fresh.toString()}` })
}

/** Waits until both have told as much, bookmarks aside, and a moment longer for what should not come. */
async function settled(
  story: Story,
  { ours, theirs }: { readonly ours: OpenWatch; readonly theirs: OpenWatch },
): Promise<void> {
  for (let waits = 0; waits < WAITS_MAX && changesOf(ours).length !== changesOf(theirs).length; waits += 1)
    await story.run.wait()
}

const INITIAL_EVENTS_END = 'k8s.io/initial-events-end'

/** Bookmarks come when each server likes. */
const changesOf = (watch: OpenWatch) => watch.events.filter(({ type }) => type !== 'BOOKMARK')

/** What is wrong with where a watch says that the current objects are over; '' when nothing is. */
function endFault({ events }: OpenWatch): string {
  const ends = events.flatMap(({ type, object }, index) => {
    // A bookmark's annotations are a map.
    const annotations = (object.metadata?.['annotations'] ?? {}) as Record<string, string>
    return type === 'BOOKMARK' && annotations[INITIAL_EVENTS_END] === 'true' ? [index] : []
  })
  const [end] = ends
  if (end === undefined || ends.length > 1) return events[0]?.type === 'ERROR' ? '' : `${ends.length} ends`
  const initial = events.slice(0, end)
  const names = new Set(initial.map(({ object }) => nameOf(object)))
  return initial.every(({ type }) => type === 'ADDED') && names.size === initial.length ? '' : 'changes before the end'
}

async function compareWatches(story: Story, watched: readonly Watched[]): Promise<string | undefined> {
  for (const one of watched) await settled(story, one)
  await story.run.wait()
  for (const one of watched) {
    const [ours, theirs] = [told(story, 'ours', one), told(story, 'theirs', one)]
    story.counts.events += ours.length
    const difference = differ(`a watch from ${one.query}`, ours, theirs)
    if (difference !== undefined) return difference
    const fault = one.from === 'initial' ? endFault(one.ours) : ''
    if (fault !== '') return JSON.stringify({ what: one.query, fault })
  }
  return undefined
}

/** What a watch told, in a form that must be the same on both sides. */
function told(story: Story, side: keyof Moment, watched: Watched): readonly unknown[] {
  let last = 0
  const lines = changesOf(watched[side]).map(({ type, object }) => {
    // A refusal's code is a number beside its reason.
    if (type === 'ERROR') return { type, code: (object as { code?: number }).code, reason: object.reason }
    const version = versionOf(object)
    const isRising = version > last
    last = Math.max(last, version)
    return { type, object: seenObject(object), write: story.written[side].get(version), isRising }
  })
  return watched.from === 'version' ? lines : inOrderOfNames(lines)
}

type Line = { readonly type: string; readonly object?: unknown; readonly isRising?: boolean | undefined }

/** The current objects at the head come in any order: they are put in that of their names. */
function inOrderOfNames(lines: readonly Line[]): readonly unknown[] {
  const names = new Set<string>()
  let head = 0
  for (const line of lines) {
    const name = nameIn(line)
    if (line.type !== 'ADDED' || names.has(name)) break
    names.add(name)
    head += 1
  }
  const initial = lines.slice(0, head).map((line) => ({ ...line, isRising: undefined }))
  const sorted = initial.sort((one, other) => (nameIn(one) < nameIn(other) ? -1 : 1))
  return [...sorted, ...lines.slice(head)]
}

// An object as seenObject gives it.
const nameIn = ({ object }: Line): string => String((object as Body | undefined)?.metadata?.['name'])

/** One write, the same on both sides; its answers are compared too. */
async function write(story: Story): Promise<string | undefined> {
  const { draw, run, collection, counts } = story
  const step = drawWrite(story, `${run.prefix}-${draw.pick(NAMES as [string, ...string[]])}`)
  const path = collection + step.path
  const [mine, its] = await both(story, { ...step, path })
  counts.writes += 1
  // Kubernetes deletes many at once, and tells of them as they go.
  const isMany = step.method === 'DELETE' && step.path.startsWith('?')
  const difference = isMany
    ? differ(step, seen(inOrder(mine)), seen(inOrder(its)))
    : differ(step, seen(mine), seen(its))
  if (difference !== undefined) return difference
  // A dry run answers with the version of what there is.
  if (!step.path.includes('dryRun')) remember(story, mine, its)
  return draw.chance(0.2) ? await wholeList(story) : undefined
}

const inOrder = ({ code, body }: Answer): Answer => ({
  code,
  body:
    body.items === undefined
      ? body
      : { ...body, items: body.items.toSorted((one, other) => (nameOf(one) < nameOf(other) ? -1 : 1)) },
})

const nameOf = (body: Body): string => String(body.metadata?.['name'])

const MERGE = 'application/merge-patch+json'
const LABELS = ['a', 'b', 'c'] as const

/** Creates, label changes, spec and status changes, deletions of one or many; always such that something changes. */
function drawWrite({ draw, run, counts }: Story, name: string): Exchange {
  const { kind } = run.subject
  const place = kind.scope === 'Namespaced' ? { namespace: 'acme' } : {}
  const labels = Object.fromEntries(draw.some(LABELS, 0.5).map((label) => [label, draw.pick(['x', 'y', ''])]))
  const at = draw.pick([
    'create',
    'create',
    'create',
    'labels',
    'labels',
    'labels',
    'spec',
    'status',
    'status',
    'delete',
    'many',
    'hold',
    'dry',
  ])
  // What is not stored yet in full would be stored anew by the next write of nothing; this write is always of something.
  const annotations = { count: String(counts.writes) }
  const finalizers = draw.pick([['ex.dev/f'], []])
  if (at === 'create')
    return {
      method: 'POST',
      path: '',
      body: {
        apiVersion: kind.apiVersion,
        kind: kind.kind,
        metadata: { name, ...place, labels, annotations, ...(draw.chance(0.15) ? { finalizers } : {}) },
        spec: run.subject.spec(draw, true),
      },
    }
  if (at === 'status')
    return {
      method: 'PATCH',
      path: `/${name}/status`,
      contentType: MERGE,
      body: { status: { ...run.subject.status(draw), observedGeneration: counts.writes } },
    }
  if (at === 'delete') return { method: 'DELETE', path: `/${name}`, body: drawDeletion(draw) }
  if (at === 'many') {
    const query = new URLSearchParams(drawSelectors(draw, kind, { malformed: 0.1, always: true }))
    return { method: 'DELETE', path: `?${query.toString()}` }
  }
  const gone = Object.fromEntries(draw.some(LABELS, 0.4).map((label) => [label, null]))
  const metadata = at === 'hold' ? { finalizers, annotations } : { labels: { ...labels, ...gone }, annotations }
  const spec = at === 'spec' ? { spec: run.subject.spec(draw, true) } : {}
  return {
    method: 'PATCH',
    path: `/${name}${at === 'dry' ? '?dryRun=All' : ''}`,
    contentType: MERGE,
    body: { metadata, ...spec },
  }
}

const drawDeletion = (draw: Draw): unknown => ({
  apiVersion: 'v1',
  kind: 'DeleteOptions',
  ...(draw.chance(0.15) ? { preconditions: { uid: '00000000-0000-4000-8000-000000000000' } } : {}),
  ...(draw.chance(0.15) ? { preconditions: { resourceVersion: '1' } } : {}),
  ...(draw.chance(0.2) ? { propagationPolicy: draw.pick(['Background', 'Background', 'Odd']) } : {}),
  ...(draw.chance(0.1) ? { dryRun: ['All'] } : {}),
})

/** One list, or the next page of one that was begun before. */
async function list(story: Story): Promise<string | undefined> {
  await catchUp(story)
  const { draw, run, collection, walks, counts } = story
  counts.lists += 1
  const walk = draw.chance(0.5) ? walks.shift() : undefined
  const query = walk?.query ?? drawQuery(draw, run.subject.kind)
  const accept = draw.pick(['application/json', 'application/json', TABLE, PARTIAL])
  const at = draw.pick(story.moments.slice(-20) as [Moment, ...Moment[]]) // there is one from the start
  const pathOf = (side: keyof Moment): string => {
    const asked = query.replaceAll('VERSION', at[side])
    const token = walk === undefined ? '' : `&continue=${encodeURIComponent(walk[side])}`
    return `${collection}?${asked}${token}`
  }
  const [mine, its] = await both(
    story,
    { method: 'GET', path: pathOf('ours'), accept },
    { method: 'GET', path: pathOf('theirs'), accept },
  )
  const difference = differ({ list: query, accept, isNext: walk !== undefined }, seenList(mine), seenList(its))
  if (difference !== undefined || its.code !== 200) return difference
  const versions = { ours: String(versionOf(mine.body)), theirs: String(versionOf(its.body)) }
  // Every page is of the moment of the first.
  if (walk !== undefined && !sameJson(versions, walk.at)) return JSON.stringify({ what: query, versions, at: walk.at })
  const tokens = [mine, its].map(({ body }) => body.metadata?.['continue'])
  if (typeof tokens[0] === 'string' && typeof tokens[1] === 'string' && tokens[1] !== '')
    walks.push({
      query: query.replaceAll(/&?resourceVersion(Match)?=[^&]*/g, ''),
      ours: tokens[0],
      theirs: tokens[1],
      at: versions,
    })
  return undefined
}

const TABLE = 'application/json;as=Table;v=v1;g=meta.k8s.io'
const PARTIAL = 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io'

type Column = { readonly name: string; readonly type: string; readonly format: string; readonly priority: number }
type Row = { readonly cells: readonly unknown[]; readonly object?: Body }
type Table = Body & { readonly columnDefinitions?: readonly Column[]; readonly rows?: readonly Row[] }

/** A list, of objects or as a table, with what it says of its rest; ages are of no account. */
function seenList(answer: Answer): unknown {
  if (answer.code >= 400) return seen(answer)
  const { kind, metadata = {}, items, columnDefinitions = [], rows }: Table = answer.body
  const rest = { count: metadata['remainingItemCount'], hasMore: (metadata['continue'] ?? '') !== '' }
  if (rows === undefined) return { kind, rest, items: (items ?? []).map(seenObject) }
  const columns = columnDefinitions.map(({ name, type, format, priority }) => ({ name, type, format, priority }))
  const isShown = columns.map(({ type }) => type !== 'date')
  return {
    kind,
    rest,
    columns,
    rows: rows.map(({ cells, object }) => ({
      cells: cells.filter((_, index) => isShown[index]),
      object: object === undefined ? undefined : seenObject(object),
    })),
  }
}
