/** Runs `spritectl work submit`. */
import { createHash } from 'node:crypto'
import { API_VERSION } from '../../api/define-kind.ts'
import { hasReason } from '../../api/errors.ts'
import type { Json, JsonObject, KubeObject } from '../../api/object.ts'
import { isJsonObject } from '../../api/patches.ts'
import { resourceOf } from '../../api/resource-of.ts'
import { isTerminal, workKind, type Work } from '../../kinds/work/schema.ts'
import { readManifests } from '../../manifest/read.ts'
import { randomHex } from '../../../system/entropy.ts'
import { timestamp } from '../../../system/timestamp.ts'
import { connectionFrom } from '../api/connection.ts'
import { createObjectClient, type ObjectClient } from '../api/objects.ts'
import { warningLine } from '../api/warnings.ts'
import type { CliContext } from '../context.ts'
import { CliFailure } from '../failure.ts'
import { durationMs } from '../flags.ts'
import { readyMessage } from '../fleet-view.ts'
import { jsonText, nameText } from '../output.ts'
import { readSources } from '../sources.ts'
import { clean } from '../text.ts'
import { untilTrue } from '../until.ts'
import type { SubmitFlags } from './work-submit.ts'

const works = resourceOf(workKind)

/** Runs `spritectl work submit`. */
export async function runSubmit(context: CliContext, flags: SubmitFlags): Promise<void> {
  if (flags.agent === undefined && flags.sprite === undefined)
    throw new CliFailure('Usage', 'Say who does it: --agent copywriter, or --sprite NAME')
  const object = workObject(flags, {
    input: await inputOf(context, flags.input),
    deadline: deadlineOf(flags.deadline, context.clock.now()),
    random: randomHex(context.entropy, 4),
  })
  const client = createObjectClient(await connectionFrom(flags), (text) =>
    context.process.stderr.write(warningLine(text)),
  )
  try {
    const { work, isNew } = await createOnce(client, object)
    const { stdout } = context.process
    if (flags.output === 'text')
      stdout.write(`${nameText(works, work.metadata.name)} ${isNew ? 'created' : 'unchanged, the key is known'}\n`)
    const last = flags.wait ? await untilOver(context, client, { work, timeoutMs: flags.timeout }) : work
    if (flags.output === 'json') stdout.write(jsonText(last))
    if (flags.wait) tellEnd(context, last, flags.output)
  } finally {
    client.close()
  }
}

type Facts = {
  readonly input: JsonObject | undefined
  readonly deadline: string | undefined
  readonly random: string
}

/** The Work that the flags describe. Pure. */
export function workObject(
  flags: SubmitFlags,
  { input, deadline, random }: Facts,
): JsonObject & { readonly metadata: { readonly name: string; readonly namespace: string } } {
  const { tenant, idempotencyKey, agent, sprite, project, priority } = flags
  const spec: readonly (readonly [string, Json | undefined])[] = [
    ['type', flags.type],
    ['description', flags.description],
    ['agentType', agent],
    ['sprite', sprite],
    ['project', project],
    ['priority', priority],
    ['input', input],
    ['deadline', deadline],
    ['idempotencyKey', idempotencyKey],
  ]
  const name = idempotencyKey === undefined ? `work-${random}` : `work-${keyHash(tenant, idempotencyKey)}`
  return {
    apiVersion: API_VERSION,
    kind: workKind.kind,
    metadata: { name, namespace: tenant },
    spec: Object.fromEntries(spec.flatMap(([field, value]) => (value === undefined ? [] : [[field, value]]))),
  }
}

/** The name that the Coordinator gives the same key: by whichever way it comes, it is the same work. */
const keyHash = (tenant: string, key: string): string =>
  createHash('sha256')
    .update(JSON.stringify([tenant, key]))
    .digest('hex')
    .slice(0, 16)

/** A timestamp, or a duration from now. Throws CliFailure Usage. */
function deadlineOf(text: string | undefined, nowMs: number): string | undefined {
  if (text === undefined) return undefined
  if (/^\d+(ms|s|m|h)$/.test(text)) return timestamp(nowMs + durationMs(text))
  const at = Date.parse(text)
  if (Number.isNaN(at) || !text.includes('T'))
    throw new CliFailure('Usage', `Name a time such as 2027-02-09T12:00:00Z, or 2h: got "${text}"`)
  return timestamp(at)
}

/** The facts as an object; checked for hostile YAML as every manifest is. */
async function inputOf(context: CliContext, path: string | undefined): Promise<JsonObject | undefined> {
  if (path === undefined) return undefined
  const [source] = await readSources([path], context)
  if (source === undefined) throw new CliFailure('BadInput', `Find nothing in "${path}"`)
  const { documents, problems } = readManifests(source.text, { file: source.file })
  const [problem] = problems
  if (problem !== undefined)
    throw new CliFailure('BadInput', `${problem.file}:${problem.line}:${problem.column}: ${problem.message}`)
  const [document, ...more] = documents
  if (document === undefined || more.length > 0 || !isJsonObject(document.value))
    throw new CliFailure('BadInput', `Write one JSON or YAML object into "${path}"`)
  return document.value
}

async function createOnce(
  client: ObjectClient,
  object: ReturnType<typeof workObject>,
): Promise<{ readonly work: KubeObject; readonly isNew: boolean }> {
  try {
    return { work: await client.create(works, object), isNew: true }
  } catch (error) {
    const known = hasReason(error, 'AlreadyExists') ? await client.find(works, object.metadata) : undefined
    if (known === undefined) throw error
    return { work: known, isNew: false }
  }
}

type Submitted = { readonly work: KubeObject; readonly timeoutMs: number }

async function untilOver(context: CliContext, client: ObjectClient, submitted: Submitted): Promise<KubeObject> {
  let last = submitted.work
  const { name, namespace = '' } = last.metadata
  const isOver = await untilTrue(context, submitted.timeoutMs, async () => {
    const found = await client.find(works, { namespace, name })
    if (found === undefined) throw new CliFailure('NotFound', `Work "${name}" was deleted meanwhile`)
    last = found
    return isTerminal((found as Work).status?.phase)
  })
  if (!isOver) {
    const why = readyMessage(last as Work)
    throw new CliFailure('TimedOut', `Work "${name}" is not over yet${why === undefined ? '' : `: ${why}`}`)
  }
  return last
}

function tellEnd(context: CliContext, object: KubeObject, output: 'text' | 'json'): void {
  const { status, metadata } = object as Work
  if (status?.phase !== 'Completed')
    throw new CliFailure(
      'Refused',
      `Work "${metadata.name}" is ${status?.phase}: ${readyMessage(object as Work) ?? ''}`,
    )
  if (output === 'json') return
  const { stdout } = context.process
  for (const { name, content } of status.deliverables ?? []) {
    stdout.write(`\n--- ${clean(name)}${status.rehearsal === true ? ' (rehearsal)' : ''} ---\n`)
    for (const line of content.split('\n')) stdout.write(`${line.replace(/[^\t\P{Cc}]/gu, '')}\n`)
  }
  for (const { agentType, work } of status.handOffs ?? [])
    stdout.write(`\nHanded off to the ${agentType}: work/${work}\n`)
}
