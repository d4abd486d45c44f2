/** Tells from a heading or a label what a part of a brief is about, in four languages. Pure. */

/** What a part of a brief is about. */
export type Topic =
  | 'measures'
  | 'limits'
  | 'audience'
  | 'action'
  | 'facts'
  | 'messages'
  | 'wants'
  | 'offer'
  | 'budget'
  | 'channels'
  | 'change'
  | 'background'
  | 'product'

/** Beginnings of words, in the order in which they are tried: "target group" is an audience before "target" is a goal. */
const STEMS: readonly (readonly [Topic, string])[] = [
  [
    'measures',
    'how (?:do |will |shall )?we (?:will )?(?:know|measure)|kpi|success|metric|measure|erfolg|messung|messgr|kennzahl|woran|mesure|indicateur|réussite|succes|meten',
  ],
  [
    'limits',
    "constraint|limit|mandator|do not|don[’']t|must not|avoid|out of scope|no-go|restriction|einschränk|vorgabe|tabu|contrainte|à éviter|legal",
  ],
  [
    'audience',
    'for whom|whom|who (?:it|this|is)|audience|target (?:group|market|customer)|customer|reader|users?(?!\\p{L})|persona|buyer|zielgruppe|für wen|kund|public|cible|pour qui|client|doelgroep|voor wie',
  ],
  ['action', 'call to action|cta(?!\\p{L})|next step|handlungsaufforderung|appel à'],
  [
    'facts',
    'fact|proof|evidence|reasons? to believe|claim|numbers|fakten|beleg|beweis|zahlen|faits?(?!\\p{L})|preuve|chiffre|feiten|bewijs',
  ],
  ['messages', 'message|key point|benefit|value|usp(?!\\p{L})|botschaft|nutzen|vorteil|bénéfice|boodschap'],
  ['wants', 'deliverable|what we need|assets?(?!\\p{L})|must[- ]have|lieferumfang|livrable|output'],
  ['offer', 'offer|trial|pricing|price|promotion|angebot|preis|offre|prix|aanbod'],
  ['budget', 'budget|cost|spend|money|kosten|coût'],
  [
    'channels',
    'channel|^launch$|launch date|deadline|go-?live|dates?(?!\\p{L})|timing|timeline|schedule|calendar|media|when(?!\\p{L})|milestone|kanäle|kanal|termin|zeitplan|medien|wann|canaux|calendrier|planning|quand',
  ],
  [
    'change',
    'must be different|goal|objective|aims?(?!\\p{L})|purpose|outcome|what we want|desired|ziel|objectif|but(?!\\p{L})|doel|what (?:should|must|shall)',
  ],
  [
    'background',
    'background|context|situation|problem|challenge|pain|why now|hintergrund|ausgangslage|kontext|contexte|problème|défi|achtergrond|competit|market|wettbewerb',
  ],
  [
    'product',
    'product|service|what (?:it is|is|we|it does)|feature|solution|about|how it works|produkt|leistung|was (?:ist|wir)|produit',
  ],
]

const TOPICS = STEMS.map(([topic, stems]) => [topic, new RegExp(`(?<!\\p{L})(?:${stems})`, 'iu')] as const)

/** The topic of a heading of at most nine words; undefined when it names none. */
export function topicOf(heading: string): Topic | undefined {
  if (heading.length > 80 || heading.split(' ').length > 9) return undefined
  return TOPICS.find(([, stem]) => stem.test(heading))?.[0]
}
