/** Finds in a task's own texts what a writer would build on: product, audience, dates, goals, voice. Pure. */
import type { PromptContent } from '../../../../protocol/prompt.ts'
import { clip, itemsOf, plain, sectionsOf, sentencesOf, unstopped, type Section } from './markdown.ts'

/** What the texts say; every field has a value that reads well, taken from the texts wherever they have one. */
export type Facts = {
  readonly organization: string
  readonly project: string
  readonly product: string
  readonly audience: string
  /** Dates as written: the day of the launch first, then other days, then months and quarters. */
  readonly dates: readonly string[]
  readonly goals: readonly string[]
  /** Points that the brief or the brand's facts make, fit to be said to the audience. */
  readonly points: readonly string[]
  readonly channels: readonly string[]
  /** How the brand sounds, in a few words. */
  readonly voice: string
  readonly dos: readonly string[]
  readonly donts: readonly string[]
}

const CHANNELS = ['email', 'landing page', 'blog', 'LinkedIn', 'Instagram', 'webinar', 'newsletter', 'press', 'ads']
const MONTH =
  '(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sep(?:t(?:ember)?)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)'
const DATE = new RegExp(
  `\\b(?:\\d{4}-\\d{2}-\\d{2}|\\d{1,2}(?:st|nd|rd|th)? ${MONTH}(?:,? \\d{4})?|${MONTH} \\d{1,2}(?:st|nd|rd|th)?(?:,? \\d{4})?|${MONTH} \\d{4}|Q[1-4](?: \\d{4})?)\\b`,
  'g',
)

/** So much of each text is looked at, whatever a caller sends. */
const TEXT_CHARS_MAX = 60_000

/** The facts of a task. */
export function factsOf(task: PromptContent): Facts {
  const brief = `${(task.project?.brief ?? '').slice(0, TEXT_CHARS_MAX)}\n${task.description.slice(0, TEXT_CHARS_MAX)}\n${inputText(task.input)}`
  const brand = (task.brand.context ?? '').slice(0, TEXT_CHARS_MAX)
  const all = `${brief}\n${brand}`
  const sections = sectionsOf(all)
  const organization = task.tenant.displayName || 'the organization'
  const project = task.project?.displayName ?? clip(unstopped(sentencesOf(task.description)[0] ?? task.type), 60)
  const guidance = [...guidanceOf((task.brand.guidelines ?? '').slice(0, TEXT_CHARS_MAX))]
  return {
    organization,
    project,
    product: productOf(all, { organization, project }),
    audience: clip(
      firstClause(labelled(sections, AUDIENCE) ?? audienceSentence(all) ?? `customers of ${organization}`),
      110,
    ),
    dates: datesOf(all),
    goals: goalsOf(sections, brief),
    points: pointsOf(
      sectionsOf(
        `${(task.project?.brief ?? '').slice(0, TEXT_CHARS_MAX)}\n# facts\n${brand}\n${inputText(task.input)}`,
      ),
    ),
    channels: channelsOf(all),
    voice: clip(unstopped(sentencesOf((task.brand.voice ?? '').slice(0, 2_000))[0] ?? ''), 160) || 'clear and direct',
    dos: guidance.filter((line) => !AVOID.test(line)).slice(0, 5),
    donts: guidance.filter((line) => AVOID.test(line)).slice(0, 5),
  }
}

const AUDIENCE = /^(?:target\s+)?(?:audience|customers?|readers?|for whom|who (?:it|this) is for|personas?)$/i
const PRODUCT = /^(?:the\s+)?(?:product|offer|service|feature|what we (?:launch|sell)|what it is)$/i
const GOALS = /goal|objective|success|target|outcome|kpi|measure/i
const POINTS = /message|benefit|feature|product|value|why|proof|fact|point|offer|about/i
const NOT_POINTS =
  /goal|objective|success|target|audience|reader|customer|whom|channel|deliverable|timing|timeline|date|budget|kpi|measure|out of scope|constraint|do not/i
const AVOID = /\b(?:avoid|never|don[’']?t|do not|no|not|without)\b/i

/** What stands before the first comma, where that says enough. */
const firstClause = (text: string): string => /^[^,;:(]{20,}/.exec(text)?.[0].trim() ?? unstopped(text)

const unique = (texts: readonly string[]): string[] => [...new Set(texts)]

/** Free JSON of the task as lines that the finders below understand. */
const inputText = (input: PromptContent['input']): string =>
  Object.entries(input ?? {})
    .slice(0, 50)
    .map(([key, value]) => `${key.slice(0, 60)}: ${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join('\n')
    .slice(0, 8_000)

/** What a label says: `Audience: …` in a line or an item, or the first words of the section of that name. */
function labelled(sections: readonly Section[], label: RegExp): string | undefined {
  for (const { heading, lines } of sections) {
    for (const line of lines) {
      const match = /^(?:[-*+]\s+)?\**([A-Za-z ]{2,30}?)\**\s*:\**\s+(.{3,600})$/.exec(line)
      if (match?.[1] !== undefined && match[2] !== undefined && label.test(match[1])) return sentencesOf(match[2])[0]
    }
    if (label.test(heading)) {
      const found = sentencesOf(lines.join('\n'))[0] ?? itemsOf(lines)[0]
      if (found !== undefined) return found
    }
  }
  return undefined
}

const audienceSentence = (text: string): string | undefined =>
  /\bfor ((?:the |our )?[a-z][a-z -]{3,40}(?:teams?|managers?|owners?|founders?|leads?|engineers?|developers?|buyers?|companies|businesses|agencies|shops|people|parents|students|households)(?: (?:at|of|in|with|who|that) [^.,;:\n]{3,80})?)/.exec(
    text,
  )?.[1]

const NOT_A_NAME =
  /^(?:The|This|That|These|Those|We|Our|You|Your|It|Its|In|On|At|By|For|From|And|But|Or|If|When|While|What|Who|Why|How|All|Each|Every|No|Not|One|Two|Three|Goals?|Audience|Brief|Background|Key|Target|Launch|Plan|Write|Make|Use|Keep|Do|Dates?|Timing|Product|Customers?|They|There|Success|Deliverables?|Q[1-4].*|[A-Z][a-z]+day|January|February|March|April|May|June|July|August|September|October|November|December)$/

/** The name of what is sold: as labelled, else the name that comes most often and is not the organization's. */
function productOf(text: string, known: { readonly organization: string; readonly project: string }): string {
  const label = labelled(sectionsOf(text), PRODUCT)
  const named = label === undefined ? undefined : namesIn(label, known)[0]
  if (named !== undefined) return named
  const counts = new Map<string, number>()
  for (const name of namesIn(text.slice(0, 60_000), known)) counts.set(name, (counts.get(name) ?? 0) + 1)
  const [best] = [...counts].sort(([a, m], [b, n]) => n - m || b.split(' ').length - a.split(' ').length)
  if (best !== undefined && (best[1] > 1 || best[0].includes(' '))) return best[0]
  return label === undefined ? known.project : clip(unstopped(label), 80)
}

const namesIn = (text: string, known: { readonly organization: string; readonly project: string }): string[] =>
  (plain(text).match(/\b[A-Z][A-Za-z0-9&'’-]*(?:[ ](?:[A-Z][A-Za-z0-9&'’-]*|\d{1,4}))*/g) ?? [])
    .map((name) => name.replace(/^(?:The|Our|Your|A|An|In|On|With|For|And|At|By|From) /, '').replace(/[’']s$/, ''))
    .filter(
      (name) =>
        name.length > 2 &&
        name.length <= 60 &&
        !NOT_A_NAME.test(name) &&
        !known.organization.includes(name) &&
        !name.includes(known.project) &&
        !CHANNELS.includes(name),
    )

/** Dates of a launch come first: what else is dated leads up to it or follows. */
function datesOf(text: string): string[] {
  const launch = text.split(/\n|(?<=\.) /).filter((line) => /launch|release|goes live|opens|start/i.test(line))
  const dates = unique([...launch.flatMap((line) => line.match(DATE) ?? []), ...(text.match(DATE) ?? [])])
  const isDay = (date: string): boolean =>
    /-\d\d$/.test(date) || /\b\d{1,2}(?:st|nd|rd|th)?\b(?! ?\d{2})/.test(date.replace(/Q[1-4].*/, ''))
  return [...dates.filter(isDay), ...dates.filter((date) => !isDay(date))].slice(0, 5)
}

function goalsOf(sections: readonly Section[], brief: string): string[] {
  const listed = sections.filter(({ heading }) => GOALS.test(heading)).flatMap(({ lines }) => itemsOf(lines))
  const told = sentencesOf(brief).filter((sentence) =>
    /\d\s?(?:%|percent)|\bgoal|\breach|\bincrease|\bgrow/i.test(sentence),
  )
  const goals = [listed, told, sentencesOf(brief)].find((found) => found.length > 0) ?? []
  return unique(goals)
    .slice(0, 4)
    .map((goal) => clip(unstopped(goal), 200))
}

/** Points for the audience: from sections that hold messages, else from whatever is neither goal nor logistics. */
function pointsOf(sections: readonly Section[]): string[] {
  const speaking = sections.filter(({ heading }) => !NOT_POINTS.test(heading))
  const listed = speaking.filter(({ heading }) => POINTS.test(heading)).flatMap(({ lines }) => itemsOf(lines))
  const items = speaking.flatMap(({ lines }) => itemsOf(lines))
  const told = speaking.flatMap(({ lines }) => sentencesOf(lines.join('\n')))
  return unique([...listed, ...items, ...told])
    .filter((point) => point.length > 20 && !/^(?:[A-Za-z]+ ?){1,2}:/.test(point))
    .map((point) => clip(unstopped(point), 220))
    .slice(0, 8)
}

function channelsOf(text: string): string[] {
  const lower = text.toLowerCase()
  const found = CHANNELS.filter((channel) => lower.includes(channel.toLowerCase()))
  return found.length > 0 ? found.slice(0, 4) : ['email', 'landing page', 'LinkedIn']
}

const guidanceOf = (guidelines: string): string[] => {
  const items = itemsOf(guidelines.split('\n').map((line) => line.trim()))
  return (items.length > 0 ? items : sentencesOf(guidelines)).map((line) => clip(unstopped(line), 160))
}
