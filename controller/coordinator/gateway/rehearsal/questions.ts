/** What a client has to be asked: each gap of a brief as one question. Pure. */
import type { Brief } from './brief.ts'
import { yearOf } from './dates.ts'
import { clip, lowerFirst } from './phrases.ts'

/** The questions that a brief leaves open, the weightiest first. */
export function questionsOf(brief: Brief): string[] {
  const { product } = brief
  const named = brief.proofs.find(({ isNamed }) => isNamed)?.text.split(':')[0]
  const undated = brief.moments.find(
    ({ date }) => date !== undefined && yearOf(date) === undefined && brief.launch?.startsWith(date) !== true,
  )?.date
  const year = brief.launch === undefined ? undefined : yearOf(brief.launch)
  const asked: readonly (readonly [boolean, string])[] = [
    [!brief.isProductNamed && brief.phrase === undefined, 'What exactly is being offered, and what is it called?'],
    [brief.audience === undefined, `Who is to read this first, and what do they do before they know ${product}?`],
    [brief.action === undefined, 'What is the one thing that a reader should do next?'],
    [brief.proofs.length === 0, `Which fact proves what ${product} promises, and may it be published?`],
    [brief.isCampaign && brief.launch === undefined, 'On which day does it start?'],
    [named !== undefined, `Has ${named ?? ''} agreed in writing to be named with these figures?`],
    [brief.action !== undefined, `Which address does “${lowerFirst(clip(brief.action ?? '', 60))}” lead to?`],
    [undated !== undefined && year !== undefined, `Is ${undated ?? ''} in ${year ?? ''}, as we have read it?`],
    [brief.isCampaign && brief.measures.length === 0, 'By which number will you judge the result?'],
    [brief.isCampaign && brief.budget.length === 0, 'What may it cost in all?'],
    [brief.language !== 'English', `The brief is in ${brief.language}: in which language is this to be published?`],
  ]
  return asked.filter(([isOpen]) => isOpen).map(([, question]) => question)
}

/** The questions without which a text cannot go out. */
export const blockingQuestions = (brief: Brief): string[] =>
  questionsOf(brief).filter((question) => /^(?:What exactly|Who is|What is the one)/.test(question))
