/** Shows a fleet at work: redrawn in place on a terminal, plain lines without one. */
import { styleText } from 'node:util'
import type { FleetState } from '../assembly/fleet-state.ts'
import type { Clock } from '../../system/clock.ts'
import { renderProgress, type Paint, type Tone } from './render-progress.ts'
import { timeOfDay } from './text.ts'
import { NOTHING, transitions } from './transitions.ts'

export { renderProgress } from './render-progress.ts'
export { summaryLines } from './summary.ts'

/** What the progress shows, and where. */
export type ProgressOptions = {
  readonly read: () => FleetState
  readonly write: (text: string) => void
  readonly clock: Clock
  readonly isTty: boolean
  readonly columns: () => number
  readonly rows: () => number
  /** Colours; by default those of the terminal, unless NO_COLOR is set. */
  readonly paint?: Paint
}

/** The live view of a fleet, or its lines. */
export type Progress = {
  /** Shows what is now; cheap when nothing has changed or the last time is just over. */
  readonly update: () => void
  /** Shows the end; afterwards nothing is redrawn. */
  readonly finish: () => void
}

/** At most ten pictures a second. */
const REDRAW_EVERY_MS = 100

const STYLES: Readonly<Record<Tone, 'bold' | 'dim' | 'green' | 'cyan' | 'red'>> = {
  strong: 'bold',
  faint: 'dim',
  good: 'green',
  busy: 'cyan',
  bad: 'red',
}

/** styleText looks at the terminal, NO_COLOR and FORCE_COLOR by itself. */
const terminalPaint: Paint = (tone, text) => (text === '' ? text : styleText(STYLES[tone], text))

/** Progress on a terminal, or line by line. */
export const createProgress = (options: ProgressOptions): Progress =>
  options.isTty ? redrawn(options) : lineByLine(options)

function redrawn({ read, write, clock, columns, rows, paint = terminalPaint }: ProgressOptions): Progress {
  let drawn: readonly string[] = []
  let drawnAt = -Infinity
  let isFinished = false
  const draw = (): void => {
    const lines = renderProgress(read(), { columns: columns(), rows: rows(), paint })
    if (lines.join('\n') === drawn.join('\n')) return
    // Up to where the last picture began, and everything below it away.
    const back = drawn.length === 0 ? '' : `\u001b[${drawn.length}A\r\u001b[J`
    write(`${back}${lines.join('\n')}\n`)
    drawn = lines
  }
  return {
    update: () => {
      const now = clock.monotonic()
      if (isFinished || now - drawnAt < REDRAW_EVERY_MS) return
      drawnAt = now
      draw()
    },
    finish: () => {
      if (isFinished) return
      isFinished = true
      draw()
    },
  }
}

function lineByLine({ read, write, clock }: ProgressOptions): Progress {
  let before = NOTHING
  const update = (): void => {
    const after = read()
    for (const line of transitions(before, after)) write(`${timeOfDay(clock.now())} ${line}\n`)
    before = after
  }
  return { update, finish: update }
}
