/** Tests of what a person sees of a fleet at work. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { TestClock } from '../../system/test-clock.ts'
import type { FleetState } from '../assembly/fleet-state.ts'
import { GROWTH_LIMITS, readyCondition, spriteOf, tenantOf, workOf } from './objects-for-tests.ts'
import { createProgress, renderProgress, summaryLines } from './progress.ts'
import { firstWords } from './summary.ts'
import { NOTHING, transitions } from './transitions.ts'

const WIDE = { columns: 120, rows: 50 }

const queued = spriteOf('late', {
  phase: 'Queued',
  conditions: [readyCondition('Queued', 'Waits for a slot at position 1: 2 of 2 run (a, b)', 'False')],
  blockers: [{ reason: 'Queued', position: 1, fix: 'Stop one' }],
})

const done = (name: string, agentType: string, parent?: string, content = '# Plan\n\nFirst *words* of it.\n') =>
  workOf(
    name,
    {
      phase: 'Completed',
      rehearsal: true,
      tokensTotal: 1_000,
      deliverables: [{ name: `${agentType}-text`, mediaType: 'text/markdown', content, digest: 'sha256:0' }],
    },
    { agentType, type: 'plan_campaign', ...(parent === undefined ? {} : { parent }) },
  )

const FLEET: FleetState = {
  tenants: [tenantOf('acme', { runningText: '3/4', tokensText: '2 %', limits: GROWTH_LIMITS })],
  projects: [],
  sprites: [spriteOf('q1-director', { phase: 'Working', currentTask: 'kickoff' }), queued],
  work: [
    done('kickoff', 'director'),
    done('plan', 'strategist', 'kickoff'),
    workOf('copy', { phase: 'InProgress', assignedSprite: 'q1-copy', progress: 'drafts the page' }, { parent: 'plan' }),
  ],
}

describe('on a terminal', () => {
  it('CLI17 shows tenants, sprites with task or place, and work as trees in the order of hand-off', () => {
    expect(renderProgress(FLEET, WIDE)).toEqual([
      'acme  growth  RUNNING 3/4  TOKENS 2 %',
      '  late         Queued   waits, position 1',
      '  q1-director  Working  kickoff',
      '  director          plan_campaign  Completed (rehearsal)  ✓ director-text',
      '  └─ strategist     plan_campaign  Completed (rehearsal)  ✓ strategist-text',
      '     └─ copywriter  write_copy     InProgress             drafts the page',
      '',
    ])
  })

  it('CLI17 never has more lines than rows, nor a line longer than the columns, nor a control character', () => {
    const texts = fc.string({ unit: 'binary', maxLength: 200 })
    const worlds = fc.record({
      columns: fc.integer({ min: 0, max: 200 }),
      rows: fc.integer({ min: 0, max: 60 }),
      sprites: fc.array(texts, { maxLength: 80 }),
      works: fc.array(texts, { maxLength: 80 }),
    })
    fc.assert(
      fc.property(worlds, ({ columns, rows, sprites, works }) => {
        const state: FleetState = {
          ...FLEET,
          sprites: sprites.map((text, index) => spriteOf(`s${index}`, { phase: 'Working', currentTask: text })),
          work: works.map((text, index) =>
            workOf(
              `w${index}`,
              { phase: 'InProgress', progress: text },
              index === 0 ? {} : { parent: `w${index >> 1}` },
            ),
          ),
        }
        const lines = renderProgress(state, { columns, rows })
        const width = Math.max(20, columns)
        // One expectation a world: thousands of them are slow.
        // eslint-disable-next-line no-control-regex -- that is what must not be there
        const bad = lines.filter((line) => Array.from(line).length > width || /[\u0000-\u001f\u007f-\u009f]/.test(line))
        expect([bad, lines.length <= Math.max(1, rows - 1)]).toEqual([[], true])
      }),
      { numRuns: 200 },
    )
  })

  const terminal = (read: () => FleetState) => {
    const clock = new TestClock()
    const written: string[] = []
    const progress = createProgress({
      read,
      write: (text) => void written.push(text),
      clock,
      isTty: true,
      columns: () => 120,
      rows: () => 50,
      paint: (_tone, text) => text,
    })
    return { clock, written, progress }
  }

  it('CLI17 is drawn at most ten times a second, over the last picture, and not when nothing changed', async () => {
    let state: FleetState = { ...FLEET, work: [] }
    const { clock, written, progress } = terminal(() => state)
    progress.update()
    state = FLEET
    progress.update()
    expect(written).toHaveLength(1)
    await clock.advance(100)
    progress.update()
    expect(written[1]?.startsWith('\u001b[4A\r\u001b[Jacme  growth')).toBe(true)
    await clock.advance(100)
    progress.update()
    expect(written).toHaveLength(2)
    state = NOTHING
    progress.finish()
    progress.finish()
    progress.update()
    expect(written.slice(2)).toEqual(['\u001b[7A\r\u001b[JNo tenant is declared yet\n'])
  })
})

describe('without a terminal', () => {
  it('CLI17 tells each transition once, hand-offs as such', () => {
    const clock = new TestClock()
    let state = NOTHING
    let out = ''
    const progress = createProgress({
      read: () => state,
      write: (text) => (out += text),
      clock,
      isTty: false,
      columns: () => 80,
      rows: () => 24,
    })
    const [kickoff, plan] = FLEET.work
    const pending = workOf('kickoff', { phase: 'InProgress', assignedSprite: 'q1-director' }, { agentType: 'director' })
    state = { ...FLEET, sprites: [spriteOf('q1-director', { phase: 'Starting' })], work: [pending] }
    progress.update()
    progress.update()
    state = { ...FLEET, work: [kickoff, plan].filter((work) => work !== undefined) }
    progress.finish()
    expect(out.split('\n')).toEqual([
      '12:00:00 acme sprite/q1-director Starting',
      '12:00:00 acme work/kickoff InProgress: by q1-director',
      '12:00:00 acme sprite/q1-director Starting → Working: kickoff',
      '12:00:00 acme sprite/late Queued: Waits for a slot at position 1: 2 of 2 run (a, b)',
      '12:00:00 acme work/kickoff InProgress → Completed: delivered director-text (rehearsal)',
      '12:00:00 acme hand-off director → strategist: plan_campaign, work/plan',
      '12:00:00 acme work/plan Completed: delivered strategist-text (rehearsal)',
      '',
    ])
  })

  it('CLI17 keeps control characters of a message away from the terminal', () => {
    const failed = workOf('w', { phase: 'Failed', conditions: [readyCondition('Failed', 'a\u001b[2Jb\nc', 'False')] })
    expect(transitions(NOTHING, { ...NOTHING, work: [failed] })).toEqual(['acme work/w Failed: a [2Jb c'])
  })
})

describe('the summary', () => {
  const PORTS = { httpsUrl: 'https://127.0.0.1:8443', httpUrl: 'http://127.0.0.1:8787', kubeconfig: 'data/kubeconfig' }

  it('CLI18 says what was delivered, tokens, who waits and why, where the API is and what next', () => {
    const failed = workOf('broken', {
      phase: 'Failed',
      conditions: [readyCondition('Failed', 'The model refused', 'False')],
    })
    const state = { ...FLEET, work: [...FLEET.work.slice(0, 2), failed] }
    expect(summaryLines(state, { ...PORTS, isRehearsal: true })).toEqual([
      '',
      'acme: 2 of 3 tasks done, 2,000 of 10,000,000 tokens used this month',
      '  ✓ director-text by the director (rehearsal): “First words of it.”',
      '  ✓ strategist-text by the strategist (rehearsal): “First words of it.”',
      '  ✗ copywriter broken Failed: The model refused',
      '  … late: Waits for a slot at position 1: 2 of 2 run (a, b)',
      '',
      'Rehearsal: set ANTHROPIC_API_KEY and Claude writes these; until then they are only plausible.',
      '',
      'API         https://127.0.0.1:8443 (kubectl, spritectl) and http://127.0.0.1:8787 (browser, curl)',
      'Kubeconfig  data/kubeconfig',
      '',
      'Next, in another terminal:',
      '  npx spritectl get sprites,work -A',
      '  npx spritectl get work plan -n acme -o yaml',
      '  npx spritectl apply -f examples, after you have changed something in it',
    ])
  })

  it('CLI18 does not speak of rehearsal when Claude writes', () => {
    expect(summaryLines(NOTHING, { ...PORTS, isRehearsal: false }).join('\n')).not.toContain('ehearsal')
  })

  it.each([
    ['# Title\n\n> **Rehearsal:** not Claude\n\n## More\n\n- **One** thing', 'One thing'],
    ['*Rehearsal* note\n\nText', 'Text'],
    ['# Only a heading', '# Only a heading'],
    ['', ''],
    ['\u001b[31mred', '[31mred'],
  ])('CLI18 finds the first words of %j', (content, expected) => {
    expect(firstWords(content)).toBe(expected)
  })
})
