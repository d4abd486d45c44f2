/** Words the sentences of forecasts: counted, sorted, short. Pure. */
import { nameList } from './names.ts'
import type { EffectiveLimits } from './tenant/limits.ts'
import type { Scene } from './tenant/scene.ts'

/** Characters of a sentence at most: it travels in a header and is read in a terminal. */
export const SENTENCE_CHARS_MAX = 200

/** Sentences of one write at most, that which counts the rest included. */
export const SENTENCES_MAX = 5

/** The gravest sentences, each of bounded length; what is left out is counted. */
export function bounded(sentences: readonly string[]): readonly string[] {
  const texts = [...new Set(sentences)].map(cut)
  if (texts.length <= SENTENCES_MAX) return texts
  const shown = texts.slice(0, SENTENCES_MAX - 1)
  return [...shown, `This write sets off ${texts.length - shown.length} more: see "spritectl plan"`]
}

const cut = (text: string): string => {
  const letters = Array.from(text)
  return letters.length <= SENTENCE_CHARS_MAX ? text : `${letters.slice(0, SENTENCE_CHARS_MAX - 1).join('')}…`
}

/** `1 machine`, `2 machines`. */
export const counted = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`

/** `1 piece of work`, `2 pieces of work`. */
export const countedWork = (count: number): string => counted(count, 'piece of work', 'pieces of work')

const NAME_CHARS_MAX = 60

/** A name in quotes, shortened when it would fill the sentence. */
export const quoted = (name: string): string =>
  `"${name.length <= NAME_CHARS_MAX ? name : `${name.slice(0, NAME_CHARS_MAX - 1)}…`}"`

/** The first few names, sorted, each shortened; `(a, b, c and 2 more)`. */
export const named = (names: readonly string[]): string =>
  `(${nameList(names.map((name) => (name.length <= 40 ? name : `${name.slice(0, 39)}…`)))})`

/** `2 of 2 machines of plan "starter"`: what runs of the limit that holds, and whose limit it is. */
export function usedText(
  running: number,
  limits: EffectiveLimits,
  scene: Pick<Scene, 'tenant' | 'plan'>,
): { readonly text: string; readonly be: 'is' | 'are' } {
  const be = running === 1 ? 'is' : 'are'
  const { concurrentSprites } = limits
  if (concurrentSprites === null) return { text: counted(running, 'machine'), be }
  const isOwn = scene.plan?.spec.concurrentSprites !== concurrentSprites
  const whose = isOwn ? `tenant ${quoted(scene.tenant.metadata.name)}` : `plan ${quoted(scene.tenant.spec.plan)}`
  return { text: `${running} of ${counted(concurrentSprites, 'machine')} of ${whose}`, be }
}
