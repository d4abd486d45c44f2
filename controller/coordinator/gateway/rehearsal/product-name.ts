/** Finds what is sold in the sentences of a brief: its name, and the phrase that says what it is. Pure. */

const NAME = "\\p{Lu}[\\p{L}\\p{N}&'’+.-]{1,30}(?: (?:\\p{Lu}[\\p{L}\\p{N}&'’+-]{0,30}|\\d{1,4}(?!\\d| \\p{L}))){0,3}"
const IS =
  'is|are|goes|helps|lets|makes|gives|shows|turns|launches|opens|comes|starts|works|replays|keeps|ist|sind|hilft|est|sont|aide|kommt|startet'
const SUBJECT = new RegExp(`^(?:The |Our |Unser |Notre |Le |La |Der |Die |Das )?(${NAME}) (?:${IS})(?!\\p{L})`, 'u')
const MADE = new RegExp(
  `(?:launch(?:es|ed|ing)?(?: of)?|introduc(?:es|ing)|presents?|makes?|sells?|offers?|releas(?:es|ing)|call(?:s|ed)|named|bringt|lance|[Tt]ry|of) (?:the |our |its |a |an )?(?:new (?:app |product |service |tool )?)?(${NAME})`,
  'u',
)
const COMMON =
  /^(?:The|This|That|These|Those|We|Our|You|Your|It|Its|In|On|At|By|For|From|And|But|Or|If|When|While|What|Who|Why|How|All|Each|Every|No|Not|One|Two|Three|Four|They|There|He|She|Goal|Goals|Audience|Brief|Background|Key|Target|Launch|Plan|Write|Make|Use|Keep|Do|Product|Customers?|Success|Readings?|Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday|January|February|March|April|May|June|July|August|September|October|November|December|Q[1-4].*|LinkedIn|Instagram|Facebook|Email|Campaign|Der|Die|Das|Wir|Ein|Eine|Le|La|Les|Nous|Un|Une|Ziel|Hello)$/

/** Where a name is looked for. */
export type NameSources = {
  readonly told: readonly string[]
  readonly fromProduct: readonly string[]
  readonly organization: string
  readonly project: string | undefined
}

/** The product's name: the subject of what is said of it, else what the organization launches, else the commonest name. */
export function productNameOf({ told, fromProduct, organization, project }: NameSources): string | undefined {
  const isName = (name: string | undefined): name is string =>
    name !== undefined &&
    !COMMON.test(name) &&
    name !== organization &&
    !organization.startsWith(`${name} `) &&
    name !== project
  const subject = (texts: readonly string[]): string | undefined =>
    texts.map((text) => SUBJECT.exec(text.slice(0, 200))?.[1]).find(isName)
  const made = (texts: readonly string[]): string | undefined =>
    texts.map((text) => cleaned(MADE.exec(text.slice(0, 400))?.[1])).find(isName)
  const first = told.slice(0, 40)
  return (
    subject(fromProduct) ??
    made(fromProduct) ??
    onlyName(fromProduct[0], isName) ??
    made(first) ??
    subject(first) ??
    commonest(told, isName)
  )
}

/** A name does not run over the end of its sentence. */
const cleaned = (name: string | undefined): string | undefined => name?.replace(/\.$/, '')

/** A label that holds nothing but the name: `Product: Tidepool`. */
const onlyName = (
  text: string | undefined,
  isName: (name: string | undefined) => name is string,
): string | undefined => {
  const name = new RegExp(`^(${NAME})(?=$|[,.;:(–—-])`, 'u').exec((text ?? '').slice(0, 120))?.[1]
  return isName(cleaned(name)) ? cleaned(name) : undefined
}

function commonest(told: readonly string[], isName: (name: string | undefined) => name is string): string | undefined {
  const counts = new Map<string, number>()
  for (const match of told
    .join('\n')
    .slice(0, 60_000)
    .matchAll(new RegExp(`(?<!\\p{L})${NAME}`, 'gu'))) {
    const name = cleaned(match[0])
    if (isName(name)) counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  const [best] = [...counts].sort(([, m], [, n]) => n - m)
  return best !== undefined && best[1] > 1 ? best[0] : undefined
}

/** What the product is, in a phrase: "a parcel locker network for small online shops". */
export function productPhraseOf(told: readonly string[], name: string): string | undefined {
  for (const text of told) {
    const at = text.indexOf(name)
    if (at < 0) continue
    const after = text.slice(at + name.length, at + name.length + 300)
    const phrase =
      /^ is (an? [^.;:!?]{5,200})/.exec(after)?.[1] ??
      /^(?:,| [–—-]| \() ?((?:an?|the|our) [^.;:!?)]{5,200})/.exec(after)?.[1] ??
      /^ (?:ist|est) ((?:ein|eine|un|une|der|die|das|le|la) [^.;:!?]{5,200})/.exec(after)?.[1]
    if (phrase !== undefined) return phrase.split(/, (?=(?:on|from|in|by|at|starting|for sale|am|ab|le) )/)[0]?.trim()
  }
  return undefined
}
