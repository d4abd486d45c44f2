/** Sends the same random writes to two servers and tells where a client would see a difference. */
import { drawOf, nextStep, type Live, type Subject } from '../apply-steps.ts'
import { sameJson, seen } from './seen.ts'
import { collectionOf, type Answer, type Body, type Judged } from './servers.ts'

/** Steps that one object is put through. */
export const STEPS_PER_OBJECT = 15

/** What two servers did not agree on. */
export type Difference = {
  readonly step: unknown
  readonly before: unknown
  readonly ours: unknown
  readonly theirs: unknown
  readonly said: unknown
}

/** A run over one kind. */
export type ApplyRun = {
  readonly subject: Subject
  readonly ours: Judged
  readonly theirs: Judged
  readonly seed: number
  readonly steps: number
  /** The run gives up after so many. */
  readonly differencesMax: number
  /** Runs between two steps, such as time passing. */
  readonly between?: () => Promise<void>
  /** Names of objects begin so. */
  readonly prefix?: string
}

/** What a run found, and how often each method was answered with which code. */
export type ApplyReport = { readonly differences: readonly Difference[]; readonly codes: ReadonlyMap<string, number> }

type Side = { readonly server: Judged; live: (Live & Body) | undefined }

/** Runs all steps. */
export async function runApplies(run: ApplyRun): Promise<ApplyReport> {
  const draw = drawOf(run.seed)
  const codes = new Map<string, number>()
  const differences: Difference[] = []
  const objects = Math.ceil(run.steps / STEPS_PER_OBJECT)
  for (let index = 0; index < objects && differences.length < run.differencesMax; index += 1) {
    const difference = await compareObject(run, `${run.prefix ?? 'f'}-${index}`, { draw, codes })
    if (difference !== undefined) differences.push(difference)
  }
  return { differences, codes }
}

const isObject = ({ code, body }: Answer): boolean => code < 300 && body.metadata?.['name'] !== undefined

/** Whether a write moved resourceVersion; undefined where that says nothing. */
const moved = (side: Side, answer: Answer): boolean | undefined =>
  isObject(answer) && side.live !== undefined
    ? answer.body.metadata?.['resourceVersion'] !== side.live.metadata.resourceVersion
    : undefined

/**
 * Kubernetes stores some objects anew that have not changed: defaults that it fills in on reading, such as the first
 * status, are not in what it stored. That is its own affair: a client sees the same object with a new version.
 */
const isRewritten = (side: Side, answer: Answer): boolean =>
  side.live !== undefined &&
  sameJson(timeless(seen({ code: 200, body: side.live })), timeless(seen({ code: 200, body: answer.body })))

/** Which entries have a time, left out: who asked for nothing gets one where the object is stored anew. */
const timeless = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value).replaceAll(/"time":"(?:some|none)"/g, '"time":""'))

/** Runs the steps of one object on both sides until they differ. */
async function compareObject(
  { subject, ours, theirs, between }: ApplyRun,
  name: string,
  { draw, codes }: { readonly draw: ReturnType<typeof drawOf>; readonly codes: Map<string, number> },
): Promise<Difference | undefined> {
  const left: Side = { server: ours, live: undefined }
  const right: Side = { server: theirs, live: undefined }
  const collection = collectionOf(subject.kind)
  const tally = (label: string): void => void codes.set(label, (codes.get(label) ?? 0) + 1)
  for (let count = 0; count < STEPS_PER_OBJECT; count += 1) {
    const step = nextStep(subject, name, draw, right.live !== undefined)
    const { method, contentType } = step
    const send = (side: Side): Promise<Answer> =>
      side.server.send({ method, path: collection + step.path, contentType, body: step.body(side.live) })
    // One after the other: a run may have something to change between the two.
    const mine = await send(left)
    const its = await send(right)
    await between?.()
    tally(`${method} ${contentType.replace('application/', '')} ${its.code}`)
    const isDry = step.path.includes('dryRun')
    const isGone = hasGone(its)
    const one = { seen: isGone ? mine.code : seen(mine), moved: isDry || isGone ? undefined : moved(left, mine) }
    const other = { seen: isGone ? its.code : seen(its), moved: isDry || isGone ? undefined : moved(right, its) }
    if (one.moved === false && other.moved === true && isRewritten(right, its)) {
      other.moved = false
      tally('rewritten')
      // From here on the two differ in that time.
      if (!sameJson(one, other) && sameJson(timeless(one), timeless(other))) return undefined
    }
    if (!sameJson(one, other))
      return {
        step: { ...step, body: step.body(right.live) },
        before: right.live,
        ours: one,
        theirs: other,
        said: [mine.body.message, its.body.message],
      }
    if (isDry || its.code >= 300) continue
    // An object of the API, as isObject has looked.
    left.live = isGone ? undefined : (mine.body as Live & Body)
    right.live = isGone ? undefined : (its.body as Live & Body)
  }
  return undefined
}

/** A deletion that is done answers a Status; one that waits for finalizers, or ends with the last, an object. */
const hasGone = (answer: Answer): boolean =>
  answer.code < 300 &&
  (!isObject(answer) || (answer.body.metadata?.['deletionTimestamp'] !== undefined && noFinalizers(answer)))

const noFinalizers = ({ body }: Answer): boolean =>
  ((body.metadata?.['finalizers'] ?? []) as readonly unknown[]).length === 0
