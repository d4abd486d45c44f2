/** Rehearsal writers of words that are published: copywriter, email marketer, social media manager. Pure. */
import { inSentence, type Brief } from './brief.ts'
import {
  mail,
  pieceName,
  posts,
  postsGiven,
  publicProofs,
  stageOf,
  written,
  definition,
  type Stage,
} from './copy-pieces.ts'
import {
  clip,
  counted,
  joined,
  list,
  lowered,
  lowerFirst,
  paragraphs,
  part,
  raised,
  sentence,
  table,
} from './phrases.ts'
import { NOTES_MARK, type Draft, type Text, type Writer } from './piece.ts'
import { ideaOf } from './plan-writers.ts'
import { blockingQuestions, questionsOf } from './questions.ts'
import type { PromptContent } from '../../../../protocol/prompt.ts'

/** What only the editor is to read, below the last piece. */
function notes(brief: Brief, task: PromptContent, wordCount: number): string {
  const asked = Number(brief.wordsAsked?.replace(/[^\d]/g, '') ?? 0)
  const lines = [
    ...(asked > wordCount * 1.25
      ? [
          `${brief.wordsAsked ?? ''} were asked for and ${wordCount} are written: the material gives no more without invention. Which details may we add?`,
        ]
      : []),
    ...blockingQuestions(brief),
    ...brief.later.map(
      ({ kind }) =>
        `The ${kind.replaceAll('-', ' ')} of the brief is not among these pieces: who writes it, and by when?`,
    ),
    ...task.feedback
      .slice(0, 5)
      .map(
        ({ by, comment }) =>
          `Review by ${by}, to be held against this text: ${clip(comment.split(/\s+/).join(' '), 200)}`,
      ),
  ]
  return lines.length === 0 ? '' : `${NOTES_MARK}\n### Notes for the editor\n${list(lines)}`
}

/** The pieces that the task and the brief ask for, each a text of its own. */
export const copywriter: Writer = (brief, task) => {
  const idea = ideaOf(brief, task)
  const pieces = brief.pieces.length > 0 ? brief.pieces : [{ kind: 'landing-page', count: 1 } as const]
  const texts = pieces.map((piece) => ({ name: pieceName(brief, piece), content: written({ brief, idea, piece }) }))
  const words = texts.reduce((sum, { content }) => sum + content.split(/\s+/).length, 0)
  const note = notes(brief, task, words)
  const [question] = questionsOf(brief)
  return {
    texts: texts.map((text, index): Text =>
      index === texts.length - 1 ? { ...text, content: text.content + note } : text,
    ),
    summary: `Wrote the ${joined(texts.map(({ name }) => name.replaceAll('-', ' ')))} around one idea: ${inSentence(brief, clip(idea, 100))}. Every figure is from the material.${question === undefined ? '' : ` Open: ${question}`}`,
  }
}

/** A sequence of mails: those that the brief dates, else before, at and after the start. */
export const emailMarketer: Writer = (brief, task): Draft => {
  const idea = ideaOf(brief, task)
  const dated = brief.moments.filter(({ kinds }) => kinds.includes('email'))
  const stages: readonly Stage[] = ['before', 'start', 'after']
  const day = brief.launch ?? 'the day of the start'
  const mails = stages.map((stage) => ({ stage, moment: dated.find((moment) => stageOf(brief, moment) === stage) }))
  const jobs = {
    before: 'Name the situation, say what is coming',
    start: 'Show it at work and ask for the one action',
    after: 'Answer what held people back',
  }
  const when = { before: `before ${day}`, start: brief.launch ?? 'on the day', after: `after ${day}` }
  const ends =
    brief.action === undefined ? 'reply or unsubscribed' : `${lowerFirst(brief.action)}: done, or unsubscribed`
  const content = paragraphs(
    `# ${brief.project}: e-mail sequence`,
    `Three mails, one job each, all towards one thing: ${lowerFirst(brief.action ?? idea)}.`,
    table(
      ['Mail', 'When', 'Job', 'Ends with'],
      mails.map(({ stage, moment }, index) => [`${index + 1}`, moment?.date ?? when[stage], jobs[stage], ends]),
    ),
    ...mails.map(({ stage, moment }, index) =>
      part(
        `${index + 1}. ${raised(stage === 'start' ? 'on the day' : `${stage} the start`)}`,
        `\n${mail({ brief, idea, moment, stage })}`,
      ),
    ),
    part(
      'Rules',
      list([
        'Only to people who agreed to mail from us, with one visible link to unsubscribe.',
        'Whoever has acted gets no further mail of this sequence.',
      ]),
    ),
    part(
      'Questions to the client',
      list(['Whom on the list may we write to, and when did they agree?', ...questionsOf(brief).slice(0, 1)]),
    ),
  )
  return {
    texts: [{ name: 'email-sequence', content }],
    summary: `Wrote a sequence of three mails for ${brief.project}, before, on and after ${day}, each with subjects to test. Open: whom on the list we may write to.`,
  }
}

/** A series of posts and a guide to the replies. */
export const socialMediaManager: Writer = (brief, task): Draft => {
  const idea = ideaOf(brief, task)
  const piece = brief.pieces.find(({ kind }) => kind === 'posts') ?? ({ kind: 'posts', count: 3 } as const)
  const series = posts({ brief, idea, piece })
  const given = postsGiven({ brief, idea, piece })
  const missing =
    given < piece.count
      ? `Asked for: ${counted(piece.count, 'post')}; the material gives ${counted(given, 'angle')}: which facts may we add? `
      : ''
  const proofs = publicProofs(brief)
  const answers = [
    [`What is ${brief.product}?`, definition(brief)],
    ...(proofs[0] === undefined ? [] : [['Who says so?', proofs[0]]]),
    ...(brief.offers[0] === undefined ? [] : [['What does it take to try it?', sentence(brief.offers[0])]]),
    [
      'What does it cost, and how do you compare with others?',
      'To a person: the material says nothing that may be posted.',
    ],
  ]
  const guide = paragraphs(
    `# ${brief.project}: reply guide`,
    `${raised(counted(answers.length, 'question'))} that ${brief.product} will be asked, with answers from the material and nothing else.`,
    ...answers.map(([question, answer]) => part(question ?? '', answer)),
    part(
      'House rules',
      list([
        ...(brief.brand.voice === undefined ? [] : [`Voice: ${lowered(brief.brand.voice)}.`]),
        ...brief.brand.donts.slice(0, 3).map((text) => sentence(text)),
        'A complaint of a real customer goes to a person at once.',
      ]),
    ),
  )
  return {
    texts: [
      { name: 'post-series', content: series },
      { name: 'reply-guide', content: guide },
    ],
    summary: `Wrote ${counted(given, 'post')} for ${brief.project}, each from an angle of its own, and a guide to the replies. ${missing}Questions of price go to a person.`,
  }
}
