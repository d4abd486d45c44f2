/** What the rehearsal model makes of the examples, chain by chain, read as the client would read it. */
import { readFileSync } from 'node:fs'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseAllDocuments } from 'yaml'
import type { Task } from '../../../../protocol/coordinator.ts'
import { promptParts } from '../../../../protocol/prompt.ts'
import { readToolCall, toolsFor, type HandOffCall } from '../../../../protocol/tools.ts'
import { asRecord } from '../usage.ts'
import { messagesRequest } from '../request.ts'
import { answerTo } from './answer.ts'

const ROOT = new URL('../../../../examples/', import.meta.url)
const specsIn = (file: string): Record<string, unknown>[] =>
  parseAllDocuments(readFileSync(new URL(file, ROOT), 'utf8')).map((one) => asRecord(asRecord(one.toJS())['spec']))

type Made = {
  readonly texts: ReadonlyMap<string, string>
  readonly handOff: HandOffCall | undefined
  readonly summary: string
}

/** One step: the task's request, the calls of its answer, the summary that ends it. */
function step(task: Task): Made {
  const { system, user } = promptParts(task)
  const request = messagesRequest.parse({
    model: task.model,
    max_tokens: task.persona.maxTokens,
    system: system.map(({ text }) => ({ type: 'text', text })),
    tools: toolsFor(task),
    messages: [{ role: 'user', content: user }],
  })
  const answer = answerTo(request)
  const calls = answer.blocks.flatMap((block) => {
    if (block.type !== 'tool_use') return []
    const parsed = readToolCall(block.name, block.input)
    if (!parsed.ok) throw new Error(parsed.error)
    return [parsed.call]
  })
  const said = answer.blocks.map((block, index) => (block.type === 'text' ? block : { ...block, id: `t${index}` }))
  const last = answerTo({ ...request, messages: [...request.messages, { role: 'assistant', content: said }] }).blocks[0]
  const texts = calls.flatMap((call) =>
    call.name === 'deliver' ? [[call.input.name, call.input.content] as const] : [],
  )
  return {
    texts: new Map(texts),
    handOff: calls.flatMap((call) => (call.name === 'hand_off' ? [call.input] : []))[0],
    summary: last?.type === 'text' ? last.text : '',
  }
}

/** A chain of agents, each with what came before it in its context. */
function chain(first: Partial<Task>, agents: readonly string[]): Made[] {
  const made: Made[] = []
  let task: Task = { ...EMPTY, ...first }
  for (const [index, name] of agents.entries()) {
    const maxTokens = name === 'editor' ? 16_384 : 8_192
    const handOffTargets = agents
      .slice(index + 1, index + 2)
      .map((agentType) => ({ agentType, description: 'Goes on' }))
    const result = step({ ...task, handOffTargets, persona: { ...EMPTY.persona, name, maxTokens } })
    made.push(result)
    const deliverables = [...result.texts].map(([name, content]) => ({ name, content, mediaType: 'text/markdown' }))
    const context = [...task.context, { work: `w${index}`, agentType: name, summary: result.summary, deliverables }]
    task = { ...task, context, ...(result.handOff === undefined ? {} : handedOn(result.handOff)) }
  }
  return made
}

const handedOn = ({ type, description, input }: HandOffCall): Partial<Task> => ({
  type,
  description,
  ...(input === undefined ? {} : { input }),
})

const EMPTY: Task = {
  work: 'w',
  attempt: 1,
  model: 'claude-test',
  type: 'do_it',
  description: 'Do it.',
  tenant: { name: 't', displayName: 'T' },
  brand: {},
  context: [],
  feedback: [],
  persona: {
    name: 'director',
    description: 'Does it',
    prompt: 'Do it',
    effort: 'low',
    maxTokens: 8_192,
    tools: ['deliver', 'hand_off'],
    mayHandOffTo: [],
  },
  handOffTargets: [],
}

/** The example files are checked elsewhere; here their fields are what they are. */
const taken = (work: Record<string, unknown>): Partial<Task> => ({
  type: String(work['type']),
  description: String(work['description']),
  input: asRecord(work['input']),
})
const tenantOf = (folder: string): Pick<Task, 'tenant' | 'brand'> => {
  const spec = specsIn(`${folder}/00-tenant.yaml`)[0] ?? {}
  return { tenant: { name: folder, displayName: String(spec['displayName']) }, brand: asRecord(spec['brand']) }
}

function acme(): Made[] {
  const [project = {}] = specsIn('acme-corp/project-q1-launch.yaml')
  const kickoff = Array.isArray(project['work']) ? asRecord(project['work'][0]) : {}
  const about = { name: 'q1-launch', displayName: String(project['displayName']), brief: String(project['brief']) }
  return chain({ ...tenantOf('acme-corp'), ...taken(kickoff), project: about }, [
    'director',
    'strategist',
    'copywriter',
    'editor',
  ])
}

/** The first line that a terminal shows of a text. */
const firstLine = (text: string | undefined): string =>
  text?.split('\n').find((line) => line !== '' && !/^[#>]/.test(line)) ?? ''
const bodyOf = (text: string | undefined): string => (text ?? '').split('\n').slice(2).join('\n').trim()

describe('rehearsed examples', () => {
  it('RH11 acme-corp: the director’s plan has the brief’s idea, proof, dates and sums', () => {
    const plan = acme()[0]?.texts.get('campaign-plan')
    expect(firstLine(plan)).toBe('One idea: see the strength of a pour on your phone.')
    for (const fact of [
      '31 hours earlier',
      '| 12 January |',
      '| 9 February |',
      '10 to 26 February',
      '240 trials booked',
      'add up to the total',
    ])
      expect(plan).toContain(fact)
    expect(plan).toContain('- Has Van Dijk Bouw agreed in writing to be named with these figures?')
  })

  it('RH11 acme-corp: the strategy takes up the director’s idea for the brief’s readers', () => {
    const strategy = acme()[1]?.texts.get('strategy')
    expect(firstLine(strategy)).toBe(
      'For site managers at construction firms, one message: see the strength of a pour on your phone.',
    )
    expect(strategy).toContain('The idea is the director’s')
    expect(strategy).toContain(
      'For site managers at construction firms with 20 to 200 people in the Netherlands, Belgium and Germany, CureSight is a reusable sensor the size of a matchbox. With it they can see the strength of a pour on their phone.',
    )
  })

  it('RH11 acme-corp: the landing page is one that could be published', () => {
    const made = acme()[2]
    expect([...(made?.texts.keys() ?? [])]).toEqual([
      'landing-page',
      'launch-announcement',
      'teaser-email',
      'post-series',
    ])
    expect(bodyOf(made?.texts.get('landing-page'))).toBe(LANDING_PAGE)
  })

  it('RH11 acme-corp: the editor hands in every piece, shorter sentences, and a check of each figure', () => {
    const texts = acme()[3]?.texts
    expect([...(texts?.keys() ?? [])].at(-1)).toBe('editors-notes')
    expect(texts?.get('landing-page')).toContain('before the pour. It measures')
    expect(texts?.get('teaser-email')).toContain('12 January 2027')
    expect(firstLine(texts?.get('editors-notes'))).toContain('Publish the landing page, launch announcement')
    expect(texts?.get('editors-notes')).not.toContain('nowhere in the material')
    expect(texts?.get('editors-notes')).toContain('the brief, “Facts that may be used”')
  })

  it('RH11 startup-xyz: the post is made of the task’s facts and says what is missing', () => {
    const [work = {}] = specsIn('startup-xyz/work.yaml')
    const [copy, edited] = chain({ ...tenantOf('startup-xyz'), ...taken(work) }, ['copywriter', 'editor'])
    const post = copy?.texts.get('blog-post')
    expect(firstLine(post)).toBe(
      'One replayed request found a rounding error that had cost a customer 0.4 % of every invoice for a year.',
    )
    for (const fact of [
      '41,212 invoices',
      '3 September 2026',
      'integer of cents',
      'If you own a payment path',
      'Try Tidepool on one endpoint',
    ])
      expect(post).toContain(fact)
    expect(edited?.texts.get('blog-post')).not.toContain('Notes for the editor')
    expect(edited?.texts.get('editors-notes')).toContain('600 words were asked for')
  })

  it('RH11 a task that names its piece gets that piece; must-haves come before what the brief dates', () => {
    const project = { name: 'p', displayName: 'P', brief: '## Channels\n- 1 May 2027: newsletter and landing page' }
    const namesFor = (task: Partial<Task>): string[] => [
      ...(chain({ project, ...task }, ['copywriter'])[0]?.texts.keys() ?? []),
    ]
    expect(namesFor({ description: 'Write the handout.' })).toEqual(['handout'])
    expect(namesFor({ input: { mustHave: ['press release'] } })).toEqual([
      'launch-announcement',
      'landing-page',
      'launch-email',
    ])
  })

  it('RH11 no figure appears that the material does not hold', () => {
    const material = ['acme-corp/project-q1-launch.yaml', 'acme-corp/00-tenant.yaml']
      .map((file) => readFileSync(new URL(file, ROOT), 'utf8'))
      .join('\n')
    const known = new Set(material.match(/\d+(?:[.,]\d+)*/g))
    for (const { texts } of acme().slice(0, 3)) {
      for (const text of texts.values()) {
        const unnumbered = text.replaceAll(/^#+ \d+\. /gm, '')
        expect((unnumbered.match(/\d+(?:[.,]\d+)*/g) ?? []).filter((number) => !known.has(number))).toEqual([])
      }
    }
  })

  it('RH11 a word that the brand never says leaves the text, and a review asks for that', () => {
    const brand = { guidelines: '- Never say: seamless, unlock.\n- No exclamation marks.' }
    const deliverables = [
      { name: 'page', mediaType: 'text/markdown', content: '# Page\n\nA seamless relay! It costs 99 euros.' },
    ]
    const context = [{ work: 'a', agentType: 'copywriter', summary: 's', deliverables }]
    const [edited] = chain({ brand, context }, ['editor'])
    expect(edited?.texts.get('page')).toContain('A relay. It costs 99 euros.')
    expect(edited?.texts.get('editors-notes')).toContain('nowhere in the material')
    const [review] = chain({ brand, context, type: 'review', description: 'May it go out?' }, ['editor'])
    expect(firstLine(review?.texts.get('review'))).toContain('Changes requested')
  })

  it.each(['0<', 'a-b', '(sic)', '$1', 'C++', '[x]'])('RH6 takes out the banned word %s as it stands', (word) => {
    const brief = `never say: ${word}`
    const brand = { voice: brief, guidelines: '', context: brief }
    const agents = ['director', 'strategist', 'copywriter', 'editor']
    const made = chain({ brand, project: { name: 'p', displayName: 'P', brief } }, agents)
    expect(made).toHaveLength(4)
  })

  it('RH6 a brief of any shape gives texts of bounded length in a whole chain', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        '# ',
        '\n',
        '- ',
        '| ',
        '|--|\n',
        'Goal: ',
        'They can ',
        '12 January',
        '**',
        ': ',
        '; ',
        'Acme',
        '“',
        '[',
        '```\n',
        '. ',
        '1. ',
        'never say: ',
      ),
      fc.string({ maxLength: 12 }),
      fc.lorem({ maxCount: 4 }),
    )
    const text = fc.array(piece, { maxLength: 60 }).map((parts) => parts.join(''))
    fc.assert(
      fc.property(text, text, (brief, guidelines) => {
        const made = chain(
          { brand: { voice: brief, guidelines, context: brief }, project: { name: 'p', displayName: 'P', brief } },
          ['director', 'strategist', 'copywriter', 'editor'],
        )
        for (const { texts, summary } of made) {
          expect(summary.length).toBeLessThan(1_300)
          for (const one of texts.values()) expect(one.length).toBeLessThan(60_000)
        }
      }),
      { numRuns: 60 },
    )
  })
})

const LANDING_PAGE = `# See the strength of a pour on your phone

CureSight is a reusable sensor the size of a matchbox.

You pour two to six times a week, wait longer than you must because a cube test takes a day, and are blamed for both: for stripping too early and for standing still.

**Book a trial on one pour of your own**

## How it works
You drop it into the formwork before the pour; it measures temperature and humidity inside the concrete every five minutes and tells your phone when the strength is enough to strip. One sensor lasts for forty pours.

It works without a SIM card: any phone that comes within 30 metres collects the readings.

## What stands behind it
- **Van Dijk Bouw:** 14 pours in 2026, formwork stripped 31 hours earlier on average, none rejected.
- Readings every 5 minutes; accurate to 0.5 °C; 40 pours a sensor.
- The maturity method follows NEN 5970; the site's own mix is calibrated once.

## The trial
Three sensors, one pour, 14 days, returned free of charge.

CureSight goes on sale on 9 February 2027.

**Book a trial on one pour of your own**`
