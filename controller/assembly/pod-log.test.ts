/** pods/log over the API server: who has a log, what is sent of it, and when a log that is followed ends. */
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TestClock } from '../../system/test-clock.ts'
import { withViews } from '../registry/views.ts'
import { makeNamespace, memoryRegistry, spriteBody, SPRITES, testServer, type TestServer } from '../server/testing.ts'
import { podView } from '../views/pods.ts'
import { podLogSubresource } from './pod-log.ts'

const LOG = '/api/v1/namespaces/acme/pods/writer/log'
const MACHINE = {
  name: 'm',
  state: 'started',
  incarnation: 1,
  specHash: 'x',
  since: '2026-01-15T11:00:00Z',
  intent: 'Run',
}

let folder: string
let closing: AbortController
let server: TestServer
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pod-log-'))
  closing = new AbortController()
  server = await serve((id) => join(folder, `${id}.log`))
})
afterEach(() => {
  closing.abort()
  rmSync(folder, { recursive: true, force: true })
})

async function serve(logPath: (id: string) => string | undefined): Promise<TestServer> {
  const clock = new TestClock()
  const registry = memoryRegistry(clock)
  const pods = podView(registry)
  const subresources = [podLogSubresource({ pods, logPath, clock, closing: closing.signal })]
  const made = testServer({ registry: withViews(registry, [pods]), subresources })
  await makeNamespace(made)
  await made.send('POST', SPRITES, { body: spriteBody('writer') })
  return made
}
const setStatus = async (status: object, of = server) => {
  const headers = { 'content-type': 'application/merge-patch+json' }
  expect((await of.send('PATCH', `${SPRITES}/writer/status`, { body: { status }, headers })).status).toBe(200)
}
const run = async (machine: object = {}, of = server) =>
  setStatus({ incarnation: 1, lastMachineId: 'm1', machine: { ...MACHINE, id: 'm1', ...machine } }, of)
const write = (text: string, id = 'm1') => appendFileSync(join(folder, `${id}.log`), text)

/** A log that is read piece by piece. */
async function open(query: string, signal = new AbortController().signal) {
  const { status, body } = await server.send('GET', `${LOG}?${query}`, { over: { signal } })
  expect(status).toBe(200)
  // A log is a stream.
  const pieces = (body as AsyncIterable<string>)[Symbol.asyncIterator]()
  const next = async (length: number): Promise<string> => {
    let text = ''
    while (text.length < length) text += String((await pieces.next()).value)
    return text
  }
  const isEnded = async (): Promise<boolean> => (await pieces.next()).done === true
  return { next, isEnded }
}
async function textOf(query = ''): Promise<string> {
  const { body, response } = await server.send('GET', `${LOG}?${query}`)
  expect(response.headers['Content-Type']).toBe('text/plain; charset=utf-8')
  let text = ''
  for await (const piece of body as AsyncIterable<string>) text += piece
  return text
}

describe('log of a pod', () => {
  it('VW30 is what its machine wrote, as text, with and without the name of its container', async () => {
    await run()
    write('one\ntwö\n')
    expect(await textOf()).toBe('one\ntwö\n')
    expect(await textOf('container=sprite')).toBe('one\ntwö\n')
  })

  it('VW30 is discovered, and nothing but GET', async () => {
    const found = await server.send('GET', '/api/v1')
    expect(JSON.stringify(found.body)).toContain('"name":"pods/log"')
    await run()
    for (const method of ['POST', 'PUT', 'DELETE']) expect((await server.send(method, LOG)).status).toBe(405)
    expect((await server.send('GET', '/api/v1/pods/writer/log')).status).toBe(404)
  })

  it.each([
    ['no such pod', () => Promise.resolve(), '', 404, 'pods "writer" not found'],
    ['another container', () => run(), 'container=web', 400, 'container web is not valid for pod writer'],
    ['a machine that is not made yet', () => run({ id: null, state: null }), '', 400, 'is waiting to start'],
    ['a machine that has not written', () => run(), '', 400, 'is waiting to start: ContainerCreating'],
    ['no machine before', () => run(), 'previous=true', 400, 'previous terminated container "sprite" in pod "writer"'],
    ['a number out of range', () => run(), 'tailLines=-2', 422, 'PodLogOptions "writer" is invalid'],
    ['a log that was removed', () => run({ state: 'stopped', intent: 'Stop' }), '', 404, 'is not kept any more'],
  ] as const)('VW30 %s is refused', async (_title, prepare, query, code, message) => {
    await prepare()
    const answer = await server.send('GET', `${LOG}?${query}`)
    expect(answer.body).toMatchObject({ kind: 'Status', code, message: expect.stringContaining(message) as string })
  })

  it('VW30 says how to read it where the provider keeps it', async () => {
    const elsewhere = await serve(() => undefined)
    await run({}, elsewhere)
    const answer = await elsewhere.send('GET', LOG)
    expect(answer.body).toMatchObject({ code: 404, message: expect.stringContaining('fly logs') as string })
  })

  it('VW31 is cut to its last lines and to bytes', async () => {
    await run()
    write('one\ntwo\nthree\n')
    expect(await textOf('tailLines=2')).toBe('two\nthree\n')
    expect(await textOf('tailLines=2&limitBytes=5')).toBe('two\nt')
    expect(await textOf('tailLines=0')).toBe('')
  })

  it('VW32 a log that is followed ends when the machine has ended and all is sent', async () => {
    await run()
    write('one\n')
    const log = await open('follow=true')
    expect(await log.next(4)).toBe('one\n')
    write('two\nunended')
    expect(await log.next(4)).toBe('two\n')
    await run({ state: 'stopped', intent: 'Stop' })
    expect(await log.next(7)).toBe('unended')
    expect(await log.isEnded()).toBe(true)
  })

  it.each([
    ['a new machine', () => run({ incarnation: 2, id: 'm2' })],
    ['a sprite that is deleted', () => server.send('DELETE', `${SPRITES}/writer`)],
    ['a server that stops', () => Promise.resolve(closing.abort())],
  ])('VW32 a log that is followed ends with %s', async (_title, end) => {
    await run()
    write('one\n')
    const log = await open('follow=true')
    expect(await log.next(4)).toBe('one\n')
    await end()
    expect(await log.isEnded()).toBe(true)
  })

  it('VW32 a log that is followed ends when the client goes, or has had its bytes', async () => {
    await run()
    write('one\n')
    const gone = new AbortController()
    const log = await open('follow=true', gone.signal)
    expect(await log.next(4)).toBe('one\n')
    gone.abort()
    expect(await log.isEnded()).toBe(true)
    const limited = await open('follow=true&limitBytes=6')
    expect(await limited.next(4)).toBe('one\n')
    write('two\n')
    expect(await limited.next(2)).toBe('tw')
    expect(await limited.isEnded()).toBe(true)
  })

  it('VW32 the log of a machine that has ended is sent whole, followed or not', async () => {
    await run({ state: 'stopped', intent: 'Stop' })
    write('one\n')
    expect(await textOf('follow=true')).toBe('one\n')
    await setStatus({ machine: null })
    expect(await textOf('follow=true&timestamps=true')).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]{18}Z one\n$/)
  })

  it('VW33 previous is the log of the machine before, as long as it is kept', async () => {
    await run()
    await setStatus({ previousMachineId: 'm0' })
    writeFileSync(join(folder, 'm0.log'), 'before\n')
    write('now\n')
    expect(await textOf('previous=true&follow=true')).toBe('before\n')
    rmSync(join(folder, 'm0.log'))
    expect((await server.send('GET', `${LOG}?previous=true`)).status).toBe(400)
  })
})
