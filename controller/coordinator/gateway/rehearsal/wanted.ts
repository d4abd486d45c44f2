/** Finds the pieces that a task asks for, and what its own words add to the brief. Pure. */
import type { PromptContent } from '../../../../protocol/prompt.ts'
import { sentencesOf } from './markdown.ts'
import { clip, raised, unstopped } from './phrases.ts'

/** Sorts of texts that a copywriter hands in. */
export type PieceKind = 'landing-page' | 'launch-announcement' | 'email' | 'posts' | 'blog-post' | 'ads' | 'handout'
/** One piece; `count` where several of it are asked for, as with posts. */
export type Piece = { readonly kind: PieceKind; readonly count: number }

const KINDS: readonly (readonly [PieceKind, RegExp])[] = [
  ['blog-post', /\bblog|\barticles?\b|\bstory\b|\bcase stud|\bartikel\b/i],
  ['landing-page', /\blanding[ -]?page|\bproduct page|\bweb ?page|\bwebsite\b|\blandingpage|page d[’']atterrissage/i],
  ['launch-announcement', /\bannouncement|\bpress release|\blaunch text|\bpressemitteilung|\bcommuniqué/i],
  ['email', /\be-?mails?\b|\bnewsletter|\bmailing/i],
  ['posts', /\bposts?\b|\blinkedin\b|\binstagram\b|\bsocial media\b|\btweets?\b|\bbeiträge\b/i],
  ['ads', /\bads?\b|\badverts?\b|\bbanners?\b|\banzeige/i],
  ['handout', /\bhandouts?\b|\bflyers?\b|\bleaflets?\b|\bbrochure|\bone-?pager/i],
]
const NUMBERS = ['one', 'two', 'three', 'four', 'five', 'six', 'seven']

/** The pieces that a text names. */
export function piecesIn(text: string): Piece[] {
  const head = text.slice(0, 2_000)
  const count = /\b(one|two|three|four|five|six|seven|\d)\s(?:[\w-]{1,20}\s){0,2}posts?\b/i.exec(head)?.[1]
  const isBlog = /\bblog/i.test(head)
  return KINDS.filter(
    ([kind, pattern]) =>
      pattern.test(head) && !(kind === 'posts' && isBlog && !/linkedin|instagram|social/i.test(head)),
  ).map(([kind]) => ({ kind, count: kind === 'posts' ? countOf(count) : 1 }))
}

const countOf = (word: string | undefined): number => {
  if (word === undefined) return 3
  const number = NUMBERS.indexOf(word.toLowerCase()) + 1 || Number(word)
  return Math.min(7, Math.max(1, number))
}

/** Pieces in one task at most. */
const PIECES_MAX = 4

/** The pieces of the task first, then those of the brief, each once; `later` is what one task has no room for. */
export function wantedPieces(
  asked: readonly Piece[],
  ofBrief: readonly Piece[],
): { readonly pieces: Piece[]; readonly later: Piece[] } {
  const found = new Map<PieceKind, Piece>()
  for (const piece of [...asked, ...ofBrief]) if (!found.has(piece.kind)) found.set(piece.kind, piece)
  return { pieces: [...found.values()].slice(0, PIECES_MAX), later: [...found.values()].slice(PIECES_MAX) }
}

/** What the task itself says, beside the project's brief. */
export type TaskBrief = {
  /** The task's words that are to be read as a brief: all but its instructions, where no project has one. */
  readonly text: string
  readonly isBrief: boolean
  readonly wants: readonly Piece[]
  /** The task names the pieces itself: those of the brief are somebody else's. */
  readonly isOnly: boolean
  readonly facts: readonly string[]
  readonly deadline: string | undefined
  readonly subject: string | undefined
  readonly action: string | undefined
  readonly words: string | undefined
}

/** The key under which a hand-off passes a task's own brief on. */
export const BRIEF_KEY = 'brief'

const INSTRUCTION =
  /^(?:write|deliver|read|hand|draft|make|create|prepare|end with|start with|plan|lead|please|give|edit|review|check|use|keep|then|schreib|rédige)\b/i

/** Reads description and input of a task. */
export function taskBrief(task: PromptContent, charsMax: number): TaskBrief {
  const input = task.input ?? {}
  const passed = stringsOf(Object.hasOwn(input, BRIEF_KEY) ? input[BRIEF_KEY] : undefined).join('\n')
  const isBrief = task.project === undefined
  const words = (isBrief && passed !== '' ? passed : task.description).slice(0, charsMax)
  const sentences = sentencesOf(words.slice(0, 8_000).split(/\s+/).join(' '))
  const told = isBrief ? withoutInstructions(words) : ''
  const wantsText = ['mustHave', 'must_have', 'deliverables', 'pieces', 'outputs', 'channels', 'formats', 'type']
    .flatMap((key) => stringsOf(Object.hasOwn(input, key) ? input[key] : undefined))
    .join('\n')
  return {
    text: told,
    isBrief,
    isOnly: !isBrief && piecesIn(task.description).length > 0,
    wants: [...piecesIn(wantsText), ...piecesIn(words), ...(isBrief ? [] : piecesIn(passed))],
    facts: ['facts', 'proofs', 'points', 'notes']
      .flatMap((key) => stringsOf(Object.hasOwn(input, key) ? input[key] : undefined))
      .slice(0, 20),
    deadline: stringsOf(Object.hasOwn(input, 'deadline') ? input['deadline'] : undefined)[0],
    subject: subjectIn(sentences),
    action: actionIn(sentences),
    words: /\b\d[\d,.]{0,6} words\b/i.exec(words.slice(0, 8_000))?.[0],
  }
}

/** A loose brief keeps its lines; a line of nothing but instructions falls out. */
const withoutInstructions = (words: string): string =>
  words.includes('\n#') || words.startsWith('#') || /\n\s?[-*]\s/.test(words)
    ? words
    : sentencesOf(words.split(/\s+/).join(' '))
        .filter((text) => !INSTRUCTION.test(text))
        .join(' ')

const stringsOf = (value: unknown): string[] => {
  if (typeof value === 'string') return value.trim() === '' ? [] : [value.slice(0, 8_000)]
  return Array.isArray(value)
    ? value
        .filter((one) => typeof one === 'string')
        .slice(0, 30)
        .map((one) => clip(one, 400))
    : []
}

/** "Write a blog post: how one request found …" and "three posts on the replay story" name their subject. */
function subjectIn(sentences: readonly string[]): string | undefined {
  for (const text of sentences.slice(0, 5)) {
    const found =
      /^(?:write|draft|create|prepare|make)\b[^:]{3,80}:\s(.{10,300})$/i.exec(text)?.[1] ??
      /\b(?:posts?|article|story|text|e-?mail|page|newsletter|piece)\b[^.:]{0,30}\s(?:on|about)\s(.{5,200})$/i.exec(
        text,
      )?.[1]
    if (found !== undefined) return unstopped(found)
  }
  return undefined
}

function actionIn(sentences: readonly string[]): string | undefined {
  for (const text of sentences) {
    const found = /^(?:end|close|finish) with (?:how to |a call to |an invitation to )(.{5,160})$/i.exec(text)?.[1]
    if (found !== undefined) return raised(unstopped(found))
  }
  return undefined
}
