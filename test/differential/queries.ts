/** Draws selectors and queries of lists, right ones and malformed ones. */
import type { KindDefinition } from '../../controller/api/define-kind.ts'
import type { Draw } from '../apply-steps.ts'

const LABEL_SELECTORS = [
  'a',
  '!a',
  'a=x',
  'a==y',
  'a!=x',
  'b in (x,y)',
  'b notin (x)',
  'b in (x),c',
  'a=,b',
  '!b,c=x',
  'a in (),b',
  'c!=',
  'a notin (x,y),!c',
  ' a = x , b ',
]
const BAD_LABEL_SELECTORS = [
  'a=(',
  'a in x',
  '=x',
  'a in (x',
  'a b',
  'a=x=y',
  '-=x',
  'a!!b',
  'a,,b',
  '!',
  'a==,',
  `a=${'z'.repeat(64)}`,
]
const BAD_FIELD_SELECTORS = ['spec.nope=1', 'metadata.labels=a', 'spec', 'a=b=c', 'metadata.uid=x', 'metadata.name>a']
const BAD_QUERIES = [
  'limit=-1',
  'limit=x',
  'limit=1&continue=nonsense',
  'continue=e30',
  'resourceVersion=x',
  'resourceVersion=-1',
  'resourceVersionMatch=Exact',
  'resourceVersion=0&resourceVersionMatch=Exact',
  'resourceVersion=VERSION&resourceVersionMatch=Odd',
  'sendInitialEvents=true',
  'resourceVersion=VERSION&continue=e30',
  'timeoutSeconds=x',
]

/** Selectors of a list or watch; `always` gives at least one. */
export function drawSelectors(
  draw: Draw,
  kind: KindDefinition,
  { malformed, always = false }: { readonly malformed: number; readonly always?: boolean },
): Record<string, string> {
  const selectors: Record<string, string> = {}
  if (always || draw.chance(0.5))
    selectors['labelSelector'] = pickFrom(draw, draw.chance(malformed) ? BAD_LABEL_SELECTORS : LABEL_SELECTORS)
  if (draw.chance(0.3))
    selectors['fieldSelector'] = draw.chance(malformed) ? pickFrom(draw, BAD_FIELD_SELECTORS) : drawField(draw, kind)
  return selectors
}

/** The field selectors of a kind, with values that its objects have, and such that they have not. */
function drawField(draw: Draw, kind: KindDefinition): string {
  const fields = ['metadata.name', 'metadata.namespace', ...(kind.selectableFields ?? [])]
  const terms = draw.some(fields, 0.4).map((field) => {
    const values =
      field === 'metadata.namespace' ? ['acme', 'other', ''] : ['r-a', 'x', 'editor', 'growth', 'Pending', 'Active', '']
    return `${field}${draw.pick(['=', '==', '!='])}${pickFrom(draw, values)}`
  })
  return terms.join(',')
}

const pickFrom = (draw: Draw, values: readonly string[]): string => {
  const [first = '', ...rest] = values
  return draw.pick([first, ...rest])
}

/** The query of a list; VERSION stands for one that both servers have had. */
export function drawQuery(draw: Draw, kind: KindDefinition): string {
  if (draw.chance(0.15)) return pickFrom(draw, BAD_QUERIES)
  const query = new URLSearchParams(drawSelectors(draw, kind, { malformed: 0.15 }))
  if (draw.chance(0.6)) query.set('limit', draw.pick(['1', '2', '3', '5', '0', '500']))
  const at = draw.pick([
    '',
    '',
    '',
    'resourceVersion=VERSION&resourceVersionMatch=Exact',
    'resourceVersion=VERSION&resourceVersionMatch=NotOlderThan',
    'resourceVersion=VERSION',
  ])
  return [query.toString(), at].filter((part) => part !== '').join('&')
}
