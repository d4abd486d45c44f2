/** The rehearsal's editor and reviewer: what came before, edited and checked, with notes or a verdict. Pure. */
import type { PromptContent } from '../../../../protocol/prompt.ts'
import { bannedWordsIn } from './brand.ts'
import type { Brief } from './brief.ts'
import { copywriter } from './copy-writers.ts'
import { checksOf, edit, type Check, type Edited, type Source } from './edits.ts'
import { sectionsOf, statementsOf } from './markdown.ts'
import { clip, counted, joined, list, paragraphs, part, raised, sentence, table, unique } from './phrases.ts'
import { basisOf, NOTES_MARK, type Writer } from './piece.ts'
import { blockingQuestions, questionsOf } from './questions.ts'

/** The material against which claims are checked, part by part. */
function sourcesOf(task: PromptContent): Source[] {
  const own = sectionsOf((task.project?.brief ?? '').slice(0, 60_000)).map((section) => ({
    name: section.heading === '' ? 'the brief' : `the brief, “${clip(section.heading, 40)}”`,
    text: [section.heading, ...statementsOf(section)].join('\n'),
  }))
  const input = JSON.stringify(task.input ?? {}).slice(0, 60_000)
  return [
    ...own,
    { name: 'the task', text: `${task.description.slice(0, 20_000)}\n${input}` },
    { name: 'the brand’s facts', text: (task.brand.context ?? '').slice(0, 60_000) },
  ]
}

/** The final text of each piece, then the notes: changes, checks, what a person has to confirm. */
export const editor: Writer = (brief, task) => {
  const basis = basisOf(task)
  if (basis.length === 0)
    return {
      ...copywriter(brief, task),
      summary: 'There was no text to edit, so that this is a first one. It wants an editor who has not written it.',
    }
  const pieces = basis.slice(0, 10).map(({ name, content }) => {
    const [body = '', notes = ''] = content.split(NOTES_MARK)
    return { name, notes, body: body.trim(), ...edit(body.trim(), brief) }
  })
  const sources = sourcesOf(task)
  const checks = uniqueChecks(pieces.flatMap(({ text }) => checksOf(text, sources)))
  const missing = checks.filter(({ isFound }) => !isFound)
  const open = unique([
    ...pieces.flatMap(({ notes }) => sectionsOf(notes).flatMap(({ items }) => [...items])),
    ...questionsOf(brief).slice(0, 4),
  ])
  const names = joined(pieces.map(({ name }) => name.replaceAll('-', ' ')))
  const isVague = blockingQuestions(brief).length > 0
  const judgement = isVague
    ? 'Not yet: the questions below come first'
    : missing.length > 0
      ? `Not yet: ${missing.length === 1 ? 'one claim stands' : `${missing.length} claims stand`} nowhere in the material`
      : `Publish the ${names} once the ${open.length === 1 ? 'question' : 'questions'} below ${open.length === 1 ? 'has its answer' : 'have their answers'}`
  const changes = pieces.flatMap((piece) => changesOf(piece))
  const made = pieces.reduce((sum, { edits, notes }) => sum + edits.length + (notes === '' ? 0 : 1), 0)
  const content = paragraphs(
    '# Editor’s notes',
    `${open.length === 0 && missing.length === 0 ? `Publish the ${names} as they stand` : judgement}.`,
    part('Changed', list(changes.slice(0, 10))),
    part(
      'Facts checked',
      checks.length === 0
        ? 'The texts state no figure.'
        : table(
            ['Claim', 'Stands in'],
            checks.slice(0, 10).map(({ claim, where }) => [claim, where]),
          ),
    ),
    part('Held against the guidelines', list(guidelineLines(brief, pieces.map(({ text }) => text).join('\n')))),
    part('To be confirmed by a person', list(open.slice(0, 6))),
    part(
      'From reviews',
      list(
        task.feedback
          .slice(0, 5)
          .map(({ by, verdict, comment }) => `${by} (${verdict}): ${clip(comment.split(/\s+/).join(' '), 200)}`),
      ),
    ),
  )
  return {
    texts: [...pieces.map(({ name, text }) => ({ name, content: text })), { name: 'editors-notes', content }],
    summary: `Edited the ${names}: ${counted(made, 'change')}, and ${checks.length === 0 ? 'no figures to check' : `${counted(checks.length, 'claim')} checked against the material${missing.length === 0 ? ', all found' : `, ${missing.length} not found`}`}.${open[0] === undefined ? '' : ` To be confirmed: ${open[0]}`}`,
  }
}

const uniqueChecks = (checks: readonly Check[]): Check[] => [
  ...new Map(checks.map((check) => [check.claim, check])).values(),
]

function changesOf({
  name,
  notes,
  edits,
  text,
  body,
}: Edited & { readonly name: string; readonly notes: string; readonly body: string }): string[] {
  const told = [...edits, ...(notes === '' ? [] : ['The notes for the editor are out; what they ask stands below'])]
  if (text === body && told.length === 0) return [`**${name}:** nothing: it stands as it was written.`]
  return told.map((note) => `**${name}:** ${note}.`)
}

/** What can be checked of the guidelines, with what was found. */
function guidelineLines({ brand }: Brief, text: string): string[] {
  const banned = bannedWordsIn(text, brand)
  return [
    ...(brand.banned.length === 0
      ? []
      : [
          banned.length === 0
            ? `None of the words that the brand never says: ${brand.banned.join(', ')}.`
            : `Still to go: ${banned.join(', ')}.`,
        ]),
    ...(brand.isWithoutExclamation
      ? [text.includes('!') ? 'An exclamation mark is left.' : 'No exclamation marks.']
      : []),
    ...(brand.voice === undefined
      ? []
      : [`Read aloud against the voice: ${brand.voice.charAt(0).toLowerCase()}${brand.voice.slice(1)}.`]),
  ]
}

/** The answer to a review: Approved, or ChangesRequested with the place and what would mend it. */
export const reviewOf = (
  brief: Brief,
  task: PromptContent,
): {
  readonly name: string
  readonly content: string
  readonly summary: string
  readonly verdict: 'Approved' | 'ChangesRequested'
} => {
  const basis = basisOf(task)
  const what = basis.length === 0 ? 'the work' : joined(basis.map(({ name }) => `“${name}”`))
  const text = basis.map(({ content }) => content).join('\n\n')
  const banned = bannedWordsIn(text, brief.brand)
  const checks = uniqueChecks(checksOf(text, sourcesOf(task)))
  const faults = [
    ...banned.map((word) => `“${word}” stands in the text and the brand never says it: take it out.`),
    ...(brief.brand.isWithoutExclamation && /[\p{L}\d]!/u.test(text)
      ? ['An exclamation mark stands in the text and the brand uses none: end with a stop.']
      : []),
  ].slice(0, 5)
  const verdict = faults.length === 0 ? 'Approved' : 'ChangesRequested'
  const found = checks.filter(({ isFound }) => isFound).length
  const content = paragraphs(
    `# Review of ${what}`,
    verdict === 'Approved'
      ? `Approved: ${what} can go out as it is.`
      : `Changes requested: ${faults.length === 1 ? 'one fault' : `${faults.length} faults`} in ${what}, each quickly mended.`,
    part('What to change', list(faults)),
    part(
      'What was checked',
      list([
        ...(checks.length === 0 ? [] : [`${found} of ${checks.length} lines with figures stand in the material.`]),
        ...checks
          .filter(({ isFound }) => !isFound)
          .slice(0, 3)
          .map(({ claim }) => `To be confirmed by a person: ${clip(claim, 120)}`),
        ...(text.includes(brief.product) ? [`It names ${brief.product}.`] : []),
        ...guidelineLines(brief, text),
      ]),
    ),
    part('The question', sentence(raised(clip(task.description.split(/\s+/).join(' '), 240)))),
  )
  return {
    name: 'review',
    content,
    verdict,
    summary: `${verdict === 'Approved' ? 'Approved' : 'Asked for changes in'} ${what} after a check of voice, guidelines and figures. ${faults[0] ?? `${found} lines with figures stand in the material.`}`,
  }
}
