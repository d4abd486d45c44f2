/** `spritectl fly-emulator`: says where it is, answers with what its files say, and ends when it is stopped. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { runLine, type Ran } from './testing.ts'

type Place = { readonly url: string; readonly token: string; readonly controlToken: string }

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'spritectl-fly-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** Runs it, uses it as soon as it has said where it is, and stops it. */
async function during(args: readonly string[], use: (place: Place) => Promise<void>): Promise<Ran> {
  let stop = (): void => {}
  let failure: unknown
  const ran = await runLine(['fly-emulator', '--port', '0', '-o', 'json', ...args], {
    onStart: (end) => {
      stop = end
    },
    onOut: (text) => {
      // What it prints is one line of JSON.
      use(JSON.parse(text) as Place)
        .catch((error: unknown) => {
          failure = error
        })
        .finally(() => stop())
    },
  })
  if (failure !== undefined) throw failure
  return ran
}

const ask = (place: Place, path: string, init: RequestInit = {}): Promise<Response> =>
  fetch(`${place.url}${path}`, { ...init, headers: { authorization: `Bearer ${place.token}` } })

const file = (name: string, content: unknown): string => {
  const path = join(folder, name)
  writeFileSync(path, JSON.stringify(content))
  return path
}

describe('fly-emulator', () => {
  it('CLI60 runs until it is stopped; its token is good for its organization, its control token for the control API', async () => {
    const ran = await during(['--org', 'acme'], async (place) => {
      const body = JSON.stringify({ name: 'a1', org_slug: 'acme' })
      expect((await ask(place, '/v1/apps', { method: 'POST', body })).status).toBe(201)
      const foreign = JSON.stringify({ name: 'a2', org_slug: 'other' })
      expect((await ask(place, '/v1/apps', { method: 'POST', body: foreign })).status).toBe(403)
      expect((await ask(place, '/_emulator/health')).status).toBe(401)
      expect((await ask({ ...place, token: place.controlToken }, '/_emulator/health')).status).toBe(200)
    })
    expect(ran).toMatchObject({ code: 0, err: '' })
  })

  it('CLI61 takes faults and times from files, and holds clients to the rates unless told not to', async () => {
    const faults = file('faults.json', {
      requests: [{ action: 'getApp', fault: { kind: 'status', status: 503 } }],
    })
    const latency = file('latency.json', { extends: 'fly', launch: { min: 1, max: 1 } })
    const statuses = async (place: Place): Promise<number[]> => {
      const list: number[] = []
      for (let turn = 0; turn < 5; turn++) list.push((await ask(place, '/v1/apps/none')).status)
      return list
    }
    await during(['--faults', faults, '--latency', latency], async (place) => {
      expect(await statuses(place)).toEqual([503, 404, 404, 429, 429])
    })
    await during(['--no-rate-limits'], async (place) => {
      expect(await statuses(place)).toEqual([404, 404, 404, 404, 404])
    })
  })

  it('CLI61 a file that is no good is told with the place in it; a port that is taken with what would do', async () => {
    const bad = file('bad.json', { requests: [{ action: '*', fault: { kind: 'explode' } }] })
    const ran = await runLine(['fly-emulator', '--faults', bad])
    expect(ran.code).toBe(1)
    expect(ran.err).toContain('requests.0.fault.kind')
    const never = file('never.json', { requests: [{ action: 'createMachin', fault: { kind: 'reset' } }] })
    expect((await runLine(['fly-emulator', '--faults', never])).err).toContain('no action "createMachin"')
    expect((await runLine(['fly-emulator', '--latency', 'slow'])).err).toContain('Cannot read "slow" for --latency')
    expect((await runLine(['fly-emulator', '--run', 'true'])).err).toContain('--data')
    await during([], async ({ url }) => {
      const taken = await runLine(['fly-emulator', '--port', new URL(url).port])
      expect(taken).toMatchObject({ code: 1, err: expect.stringContaining('choose another with --port') as string })
    })
  })

  it.skipIf(!existsSync('/proc/self'))('CLI61 a folder that cannot be made is told with what would do', async () => {
    const { code, err } = await runLine(['fly-emulator', '--port', '0', '--data', '/proc/nope'])
    expect(code).toBe(1)
    expect(err).toMatch(/^Error: Cannot make the folder "\/proc\/nope" \(ENOENT.*choose another with --data\n$/)
  })

  it('CLI62 a folder keeps apps and machines from one run to the next', async () => {
    const data = join(folder, 'fly')
    await during(['--data', data], async (place) => {
      const body = JSON.stringify({ name: 'a1', org_slug: 'personal' })
      await ask(place, '/v1/apps', { method: 'POST', body })
    })
    await during(['--data', data], async (place) => {
      expect((await ask(place, '/v1/apps/a1')).status).toBe(200)
    })
  })

  it('CLI20 completion proposes its profiles', async () => {
    expect((await runLine(['__complete', 'fly-emulator', '--latency', 'fly'])).out).toBe('fly\nfly-lagging\n')
  })
})
