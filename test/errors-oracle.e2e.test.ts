/** Every sort of bad input to this server and to a genuine one: same code, reason, causes, field paths and warnings. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeNamespace, spriteBody, literalServer, type TestServer } from '../controller/server/testing.ts'
import { KINDS } from '../controller/kinds/kinds.ts'
import { API_BASE, SPRITES, type ErrorCase } from './errors/case.ts'
import { METADATA, NAMES, SCHEMAS } from './errors/objects.ts'
import { BODIES, PATHS, QUERIES } from './errors/requests.ts'
import { MEANT, OTHER_WORDS } from './errors/meant.ts'
import { APPLIES, DUPLICATES, JSON_PATCHES, VERSIONS } from './errors/writes.ts'
import { installKinds, ORACLE_URL, oracleAbsence, startOracle, type Oracle } from './oracle.ts'

type Status = {
  readonly kind?: string
  readonly reason?: string
  readonly message?: string
  readonly metadata?: { readonly resourceVersion?: string }
  readonly details?: {
    readonly name?: string
    readonly group?: string
    readonly kind?: string
    readonly causes?: readonly { readonly reason?: string; readonly field?: string; readonly message?: string }[]
  }
}
type Answer = { readonly code: number; readonly status: Status; readonly warning: string }
type Ask = (one: ErrorCase, url: string, body: string | Uint8Array | undefined) => Promise<Answer>

const urlOf = ({ path }: Pick<ErrorCase, 'path'>): string => (path.startsWith('/') ? path : `${API_BASE}/${path}`)

const typeOf = ({ contentType, body }: ErrorCase): Record<string, string> =>
  contentType === '' || (contentType === undefined && body === undefined)
    ? {}
    : { 'content-type': contentType ?? 'application/json' }

const askOracle: Ask = async (one, url, body) => {
  const response = await fetch(ORACLE_URL + url, {
    method: one.method,
    headers: { ...typeOf(one), 'user-agent': 'test/1' },
    ...(body === undefined ? {} : { body: Buffer.from(body) }),
  })
  const text = await response.text()
  const isStatus = response.headers.get('content-type')?.startsWith('application/json') === true
  // An unknown path is answered in plain text, which clients take for this.
  const status = isStatus ? (JSON.parse(text) as Status) : PAGE_NOT_FOUND
  return { code: response.status, status, warning: response.headers.get('warning') ?? '' }
}

const PAGE_NOT_FOUND: Status = {
  kind: 'Status',
  reason: 'NotFound',
  message: 'the server could not find the requested resource',
}

const askUs =
  (server: TestServer): Ask =>
  async (one, url, body) => {
    const { response, status, body: answer } = await server.send(one.method, url, { body, headers: typeOf(one) })
    const warnings = response.headers['Warning'] ?? []
    // The answers of these requests are JSON objects.
    return { code: status, status: answer as Status, warning: [warnings].flat().join(', ') }
  }

/** Said a second time, of the whole object, of a number that is no int64. */
const saysAgain = (message: string | undefined): boolean => message?.includes('Checked value must be of type') === true

type Comparable = {
  readonly code: number
  readonly reason: string
  readonly causes: readonly string[]
  readonly warning: string
  readonly message?: string
  readonly name?: string | undefined
  readonly group?: string | undefined
  readonly kind?: string | undefined
}

/** What is compared: everything that a client can act on, and the words where they can be the same. */
function comparable({ code, status, warning }: Answer, isMessageFree: boolean): Comparable {
  const {
    reason = code === 500 ? 'InternalError' : '',
    message = '',
    details = {},
  } = status.kind === 'Status' ? status : {}
  const causes = (details.causes ?? [])
    .filter((cause) => !saysAgain(cause.message))
    .map((cause) => `${cause.reason} ${cause.field ?? ''}`)
  const { name, group, kind } = details
  const words = isMessageFree || code < 400 ? {} : { message, name, group, kind }
  return { code, reason: code < 400 ? '' : reason, causes: [...new Set(causes)].sort(), warning, ...words }
}

const GROUPS = Object.entries({
  paths: PATHS,
  queries: QUERIES,
  bodies: BODIES,
  metadata: METADATA,
  names: NAMES,
  schemas: SCHEMAS,
  versions: VERSIONS,
  'JSON patches': JSON_PATCHES,
  applies: APPLIES,
  duplicates: DUPLICATES,
})

const absence = oracleAbsence()

describe.skipIf(absence !== undefined)(`bad input${absence === undefined ? '' : ` (skipped: ${absence})`}`, () => {
  let oracle: Oracle
  const server = literalServer()
  const us = askUs(server)

  beforeAll(async () => {
    oracle = await startOracle()
    await installKinds(oracle, KINDS)
    await makeNamespace(server)
    for (const ask of [askOracle, us]) await makeBase(ask)
  }, 120_000)

  afterAll(async () => {
    await oracle?.stop()
    await server.server.close()
  })

  for (const [group, cases] of GROUPS)
    it(`SV43 ${group}`, async () => {
      const found: unknown[] = []
      const expected: unknown[] = []
      for (const one of cases) {
        const [theirs, ours] = [await run(askOracle, one), await run(us, one)]
        const title = `${group}: ${one.what}`
        const isFree = one.isMessageFree === true || OTHER_WORDS.has(title)
        const answer = comparable(ours, isFree)
        const meant = MEANT.get(title)
        found.push([one.what, answer])
        expected.push([one.what, meant === undefined ? comparable(theirs, isFree) : { ...answer, ...meant }])
        for (const [ask, { code }] of [[askOracle, theirs] as const, [us, ours] as const])
          if (code < 300) await tidy(ask)
      }
      expect(found).toEqual(expected)
    })
})

const BASE_CASE: ErrorCase = { what: 'base', method: 'POST', path: `${SPRITES}?fieldManager=base` }

const makeBase = (ask: Ask): Promise<Answer> =>
  ask({ ...BASE_CASE, body: '' }, urlOf(BASE_CASE), JSON.stringify(spriteBody('base')))

async function run(ask: Ask, one: ErrorCase): Promise<Answer> {
  const { body } = one
  if (typeof body !== 'string' || !body.includes('{rv}')) return ask(one, urlOf(one), body)
  const base = await ask({ ...BASE_CASE, method: 'GET' }, urlOf({ path: `${SPRITES}/base` }), undefined)
  return ask(one, urlOf(one), body.replaceAll('{rv}', base.status.metadata?.resourceVersion ?? ''))
}

/** What a case has made goes again, and what it has changed or deleted is as it was. */
async function tidy(ask: Ask): Promise<void> {
  const list = await ask({ ...BASE_CASE, method: 'GET' }, urlOf({ path: SPRITES }), undefined)
  const { items = [] } = list.status as { readonly items?: readonly { readonly metadata: { readonly name: string } }[] }
  for (const { metadata } of items) {
    const path = `${SPRITES}/${metadata.name}`
    const patch: ErrorCase = { what: '', method: 'PATCH', path, contentType: 'application/merge-patch+json' }
    await ask(patch, urlOf(patch), '{"metadata":{"finalizers":null}}')
    await ask({ ...patch, method: 'DELETE', contentType: '' }, urlOf(patch), undefined)
  }
  await makeBase(ask)
}
