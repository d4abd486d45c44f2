/** Decides the lines that show a fleet at work on a terminal. Pure. */
import type { FleetState } from '../assembly/fleet-state.ts'
import type { Sprite } from '../kinds/sprite/schema.ts'
import type { Work } from '../kinds/work/schema.ts'
import { doerOf, positionOf, viewOf, type TenantView, type WorkNode } from './fleet-view.ts'
import { clean, cut, table } from './text.ts'

/** Colours by meaning; `plain` leaves text as it is. */
export type Tone = 'strong' | 'faint' | 'good' | 'busy' | 'bad'
/** Colours a text where there are colours. */
export type Paint = (tone: Tone, text: string) => string
const plain: Paint = (_tone, text) => text

/** How much room there is, and how to colour. */
export type RenderOptions = {
  readonly columns: number
  readonly rows: number
  readonly paint?: Paint
}

const COLUMNS_MIN = 20

type Line = { readonly tone?: Tone; readonly text: string }

/** At most `rows` - 1 lines of at most `columns` characters, so that the cursor can always go back up. */
export function renderProgress(state: FleetState, options: RenderOptions): string[] {
  const { rows, paint = plain } = options
  const columns = Math.max(COLUMNS_MIN, options.columns)
  const views = viewOf(state)
  const lines: Line[] =
    views.length === 0 ? [{ text: 'No tenant is declared yet', tone: 'faint' }] : views.flatMap(tenantLines)
  const room = Math.max(1, rows - 1)
  const shown = lines.length <= room ? lines : [...lines.slice(0, room - 1), moreLine(lines.length - room + 1)]
  return shown.map(({ tone, text }) => {
    const line = cut(text, columns)
    return tone === undefined ? line : paint(tone, line)
  })
}

const moreLine = (count: number): Line => ({ text: `… ${count} more lines`, tone: 'faint' })

function tenantLines(view: TenantView): Line[] {
  const { tenant, sprites } = view
  const { runningText = '-', tokensText = '-' } = tenant.status ?? {}
  const head = `${view.name}  ${tenant.spec.plan}  RUNNING ${runningText}  TOKENS ${tokensText}`
  const spriteRows = sprites.map((sprite) => ['  ' + sprite.metadata.name, phaseOf(sprite), taskOf(sprite)])
  const spriteLines = table(spriteRows, '  ').map((text, index) => ({ text, ...toneOfPhase(sprites[index]) }))
  const chainRows = view.chains.flatMap((node) => nodeRows(node, ''))
  const works = table(
    chainRows.map(({ cells }) => cells),
    '  ',
  )
  return [
    { text: head, tone: 'strong' },
    ...spriteLines,
    ...works.map((text, index) => ({ text, ...toneOfWork(chainRows[index]?.work) })),
    { text: '' },
  ]
}

const phaseOf = (sprite: Sprite): string => sprite.status?.phase ?? 'Pending'

function taskOf(sprite: Sprite): string {
  const position = positionOf(sprite)
  if (sprite.status?.phase === 'Queued') return position === undefined ? 'waits' : `waits, position ${position}`
  return clean(sprite.status?.currentTask ?? '')
}

type Row = { readonly cells: readonly string[]; readonly work: Work }

/** Characters of a description that are shown. */
const PROGRESS_CHARS = 60

function nodeRows(node: WorkNode, indent: string, branch = ''): Row[] {
  const { work, children } = node
  const { status } = work
  const pieces = (status?.deliverables ?? []).map(({ name }) => name)
  const note = pieces.length > 0 ? `✓ ${pieces.join(', ')}` : cut(clean(status?.progress ?? ''), PROGRESS_CHARS)
  const rehearsal = status?.rehearsal === true ? ' (rehearsal)' : ''
  const cells = [
    `  ${indent}${branch}${doerOf(work)}`,
    work.spec.type,
    `${status?.phase ?? 'Pending'}${rehearsal}`,
    clean(note),
  ]
  const inner = indent + (branch === '' ? '' : branch === '└─ ' ? '   ' : '│  ')
  return [
    { cells, work },
    ...children.flatMap((child, index) => nodeRows(child, inner, index === children.length - 1 ? '└─ ' : '├─ ')),
  ]
}

const TONES: Readonly<Record<string, Tone>> = {
  Completed: 'good',
  Idle: 'good',
  Working: 'busy',
  InProgress: 'busy',
  Assigned: 'busy',
  InReview: 'busy',
  Starting: 'busy',
  Failed: 'bad',
  Blocked: 'bad',
  Queued: 'faint',
  Stopped: 'faint',
  Cancelled: 'faint',
}

const toned = (phase: string | undefined): { readonly tone?: Tone } => {
  const tone = TONES[phase ?? '']
  return tone === undefined ? {} : { tone }
}
const toneOfPhase = (sprite: Sprite | undefined) => toned(sprite?.status?.phase)
const toneOfWork = (work: Work | undefined) => toned(work?.status?.phase)
