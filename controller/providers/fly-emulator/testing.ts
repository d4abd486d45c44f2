/** An emulator as its tests use it: requests in one line, and every exchange held against the API's own description. */
import { readFileSync } from 'node:fs'
import { seededEntropy } from '../../../system/entropy.ts'
import { TestClock } from '../../../system/test-clock.ts'
import { createFakeRunner, type FakeRunner } from './fake-runner.ts'
import { createFlyEmulator, type Exchange, type FlyEmulator, type FlyEmulatorOptions } from './fly-emulator.ts'
import { deviationOf, deviationsSchema, findingsOf, readDocument, type Finding } from './openapi/check.ts'

/** An answer, its body read as whatever the test expects of it. */
export type Told = { readonly status: number; readonly json: never; readonly text: string; readonly headers: Headers }

/** A description and what is known to differ from it. */
const json = (name: string): unknown => JSON.parse(readFileSync(new URL(`openapi/${name}`, import.meta.url), 'utf8'))

/** The pinned description. */
export const DESCRIPTION = readDocument(json('machines-openapi.json'))
/** What is known to differ from it. */
export const DEVIATIONS = deviationsSchema.parse(json('deviations.json'))

/** Collects what is not as described and not known to differ. */
export function createWatch(): {
  readonly observe: (exchange: Exchange) => void
  readonly unexplained: Finding[]
  readonly all: Finding[]
} {
  const unexplained: Finding[] = []
  const all: Finding[] = []
  return {
    unexplained,
    all,
    observe: (exchange) => {
      // A planned fault that is no answer of the API's.
      if (exchange.contentType.startsWith('text/html')) return
      for (const finding of findingsOf(DESCRIPTION, exchange)) {
        all.push(finding)
        if (!deviationOf(DEVIATIONS, finding)) unexplained.push(finding)
      }
    },
  }
}

/** An emulator on a clock of its own, with an app `a1`. */
export type House = {
  readonly clock: TestClock
  readonly runner: FakeRunner
  readonly emulator: FlyEmulator
  readonly watch: ReturnType<typeof createWatch>
  readonly call: (
    method: string,
    path: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ) => Promise<Told>
  /** Makes a machine `m` in a1. */
  readonly create: (change?: object, config?: object) => Promise<Shown>
  readonly shown: (id: string) => Promise<Shown>
}

/** What tests look at of a machine. */
export type Shown = {
  readonly id: string
  readonly name: string
  readonly state: string
  readonly instance_id: string
  readonly private_ip: string
  readonly region: string
  readonly host_status: string
  readonly nonce?: string
  readonly cordoned: boolean
  readonly config: { readonly image: string; readonly metadata: Readonly<Record<string, string>> } | null
  readonly events: readonly {
    readonly type: string
    readonly status: string
    readonly timestamp: number
    readonly id: string
    readonly request: { readonly exit_event: Readonly<Record<string, unknown>>; readonly restart_count?: number } | null
  }[]
}

/** Opens one. */
export async function openHouse(
  options: Partial<FlyEmulatorOptions> & { readonly seed?: number } = {},
): Promise<House> {
  const { seed = 9, ...rest } = options
  const clock = new TestClock()
  const runner = createFakeRunner()
  const watch = createWatch()
  const emulator = createFlyEmulator({ clock, entropy: seededEntropy(seed), runner, observe: watch.observe, ...rest })
  const call: House['call'] = async (method, path, body, headers = {}) => {
    const isControl = path.startsWith('/_emulator/') || path.startsWith('/oidc/')
    const token = isControl ? 'control' : 't'
    const response = await emulator.request(
      new Request(`http://emulator${isControl ? '' : '/v1'}${path}`, {
        method,
        headers: { authorization: `Bearer ${token}`, ...headers },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }),
    )
    const text = await response.text()
    const isJson = response.headers.get('content-type') === 'application/json'
    // What a body holds is the test's to say.
    return {
      status: response.status,
      text,
      json: (isJson ? JSON.parse(text) : undefined) as never,
      headers: response.headers,
    }
  }
  const made = call('POST', '/apps', { name: 'a1', org_slug: 'personal' })
  // The way there takes its time.
  if (rest.latency === 'fly-lagging') await clock.advance(100)
  await made
  const create: House['create'] = async (change = {}, config = {}) =>
    (await call('POST', '/apps/a1/machines', { name: 'm', config: { image: 'x/y:1', ...config }, ...change })).json
  const shown: House['shown'] = async (id) => (await call('GET', `/apps/a1/machines/${id}`)).json
  return { clock, runner, emulator, watch, call, create, shown }
}
