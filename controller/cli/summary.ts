/** Decides what a person reads when all work is over: where the API is, what was delivered, what waits, what next. Pure. */
import type { FleetState } from '../assembly/fleet-state.ts'
import type { Work } from '../kinds/work/schema.ts'
import { doerOf, positionOf, readyMessage, viewOf, type TenantView, type WorkNode } from './fleet-view.ts'
import { clean, counted, cut, grouped } from './text.ts'

/** Where the API is, for the last lines. */
export type SummaryPorts = {
  readonly httpsUrl: string
  readonly httpUrl: string
  readonly kubeconfig: string
  readonly isRehearsal: boolean
}

const LINE_CHARS = 110
/** Deliverables that are shown of one tenant. */
const DELIVERABLES_MAX = 20

/** Some twenty lines, without colour. */
export function summaryLines(state: FleetState, ports: SummaryPorts): string[] {
  const views = viewOf(state)
  return [
    '',
    ...views.flatMap((view) => tenantSummary(view)),
    ...(ports.isRehearsal
      ? ['Rehearsal: set ANTHROPIC_API_KEY and Claude writes these; until then they are only plausible.', '']
      : []),
    `API         ${ports.httpsUrl} (kubectl, spritectl) and ${ports.httpUrl} (browser, curl)`,
    `Kubeconfig  ${ports.kubeconfig}`,
    '',
    ...nextSteps(views, ports),
  ]
}

function tenantSummary(view: TenantView): string[] {
  const { usage, limits } = view.tenant.status ?? {}
  const limit = limits?.monthlyTokens
  const ofLimit = limit === undefined || limit === null ? '' : ` of ${grouped(limit)}`
  const works = view.chains.flatMap((node) => inOrder(node))
  // The tenant's own count follows its work by some seconds.
  const used = Math.max(
    usage?.tokensUsed ?? 0,
    works.reduce((sum, { status }) => sum + (status?.tokensTotal ?? 0), 0),
  )
  const done = works.filter(({ status }) => status?.phase === 'Completed').length
  const head = `${view.name}: ${done} of ${counted(works.length, 'task')} done, ${grouped(used)}${ofLimit} tokens used this month`
  return [
    head,
    ...works.flatMap((work) => delivered(work)).slice(0, DELIVERABLES_MAX),
    ...works.filter(isUnhappy).map((work) => `  ✗ ${nameOf(work)} ${work.status?.phase}: ${whyOf(work)}`),
    ...view.sprites
      .filter(({ status }) => status?.phase === 'Queued')
      .map((sprite) => {
        const why = readyMessage(sprite) ?? `Waits for a slot, position ${positionOf(sprite) ?? 'unknown'}`
        return cut(`  … ${sprite.metadata.name}: ${clean(why)}`, LINE_CHARS * 2)
      }),
    '',
  ]
}

const inOrder = (node: WorkNode): Work[] => [node.work, ...node.children.flatMap((child) => inOrder(child))]
const isUnhappy = ({ status }: Work): boolean => status?.phase === 'Failed' || status?.phase === 'Cancelled'
const nameOf = (work: Work): string => `${doerOf(work)} ${work.metadata.name}`
const whyOf = (work: Work): string => cut(clean(readyMessage(work) ?? 'see its conditions'), LINE_CHARS)

function delivered(work: Work): string[] {
  const mark = work.status?.rehearsal === true ? ' (rehearsal)' : ''
  return (work.status?.deliverables ?? []).map(({ name, content }) => {
    const line = `  ✓ ${clean(name)} by the ${doerOf(work)}${mark}: “${firstWords(content)}”`
    return cut(line, LINE_CHARS + 40)
  })
}

/** The first line of the text itself: no heading, no note that it is a rehearsal, no list mark or emphasis. */
export function firstWords(content: string): string {
  const lines = content.split('\n').map((line) => clean(line))
  const isText = (line: string): boolean =>
    line !== '' && !/^(#|>|---|===|\||```)/.test(line) && !/^[*_\s]*rehearsal/i.test(line)
  const line = lines.find(isText) ?? lines.find((one) => one !== '') ?? ''
  return cut(line.replace(/^([-*+]|\d+[.)])\s+/, '').replace(/\*+|__|`/g, ''), LINE_CHARS)
}

/** What spritectl must be told when the data folder is not where it looks by itself. */
function dataFlag(kubeconfig: string): string {
  const folder = kubeconfig.replace(/[\\/]?kubeconfig$/, '')
  return folder === 'data' || folder === './data' ? '' : ` --data ${folder}`
}

function nextSteps(views: readonly TenantView[], { kubeconfig }: SummaryPorts): string[] {
  const data = dataFlag(kubeconfig)
  const tenant = views[0]?.name ?? 'acme-corp'
  const last = views.flatMap((view) => view.chains.flatMap((node) => inOrder(node))).at(-1)
  const namespace = last?.metadata.namespace ?? tenant
  return [
    'Next, in another terminal:',
    `  npx spritectl get sprites,work -A${data}`,
    last === undefined
      ? `  npx spritectl describe tenant ${tenant}${data}`
      : `  npx spritectl get work ${last.metadata.name} -n ${namespace} -o yaml${data}`,
    `  npx spritectl apply -f examples${data}, after you have changed something in it`,
  ]
}
