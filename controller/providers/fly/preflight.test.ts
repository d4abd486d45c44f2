/** Tests of the checks before work begins, against recorded answers: each good, each bad, and none that throws. */
import { describe, expect, it } from 'vitest'
import nock from 'nock'
import type { Check } from '../check.ts'
import { imageCheck, parseImage } from './image-check.ts'
import { flyPreflight, type PreflightOptions } from './preflight.ts'
import { api, BASE, clock, onlyNock } from './wire-fixture.ts'

onlyNock()

const OPTIONS: PreflightOptions = {
  baseUrl: BASE,
  token: 'fm2_token',
  orgSlug: 'personal',
  appTemplate: 'highera-{tenant}',
  regions: ['iad', 'any'],
  clock,
  plannedSprites: 20,
}
const dated = (skewMs = 0) => ({ date: new Date(clock.now() + skewMs).toUTCString(), 'fly-request-id': '01REQ' })

type Answers = Partial<Record<'token' | 'apps' | 'regions' | 'placements', readonly [number, object]>>
const GOOD = {
  token: [200, { tokens: [{ org_slug: 'personal', apps: null }] }],
  apps: [200, { total_apps: 3, apps: [] }],
  regions: [200, { Regions: [{ code: 'iad' }, { code: 'ams', deprecated: true }], Nearest: 'iad' }],
  placements: [
    200,
    {
      regions: [
        { region: 'iad', count: 15 },
        { region: 'ord', count: 10 },
      ],
    },
  ],
} as const

async function checked(answers: Answers = {}, options: Partial<PreflightOptions> = {}): Promise<Record<string, Check>> {
  const all = { ...GOOD, ...answers }
  const good = all.token[0] === 200
  api().get('/v1/tokens/current').reply(all.token[0], all.token[1], dated())
  if (good && !JSON.stringify(all.token[1]).includes('nobody')) {
    api().get('/v1/apps').query({ org_slug: 'personal' }).reply(all.apps[0], all.apps[1], dated())
    api().get('/v1/platform/regions').reply(all.regions[0], all.regions[1], dated())
    api()
      .post('/v1/platform/placements', {
        org_slug: 'personal',
        region: (options.regions ?? OPTIONS.regions).join(','),
        count: 0,
      })
      .reply(all.placements[0], all.placements[1], dated())
  }
  const checks = await flyPreflight({ ...OPTIONS, ...options })
  return Object.fromEntries(checks.map((one) => [one.name, one]))
}

describe('preflight', () => {
  it('FP1 says of token, organization, regions, room and clock that all is well', async () => {
    const checks = await checked()
    expect(Object.values(checks).map(({ name, level }) => `${level} ${name}`)).toEqual([
      'ok token',
      'ok organization',
      'ok regions',
      'ok placements',
      'ok clock',
    ])
    expect(checks['token']?.text).toContain('"personal"')
    expect(checks['organization']?.text).toContain('3 apps')
    expect(checks['placements']?.text).toContain('25 machines in iad, any; the plans of all tenants allow 20')
  })

  it('FP2 a refused token is told as Fly said it, without the pause of calls that nobody makes', async () => {
    const { token } = await checked({ token: [401, { error: 'unauthorized' }] })
    expect(token?.text).toMatch(/^Cannot ask what the token is for at Fly: Fly answered 401/)
  })

  it('FP2 where nobody answers the address that was set is named, Fly’s status page for its own', async () => {
    const refused = (): Promise<Response> =>
      Promise.reject(new TypeError('fetch failed', { cause: new Error('no host') }))
    const fixes = await Promise.all(
      [BASE, 'http://nohost.invalid'].map(
        async (baseUrl) => (await flyPreflight({ ...OPTIONS, baseUrl, fetch: refused }))[0],
      ),
    )
    expect(fixes.map((one) => one?.level)).toEqual(['fail', 'fail'])
    expect(fixes[0]?.fix).toBe('look at https://status.flyio.net')
    expect(fixes[1]?.fix).toBe('check FLY_FLAPS_BASE_URL, which is "http://nohost.invalid"')
  })

  it('FP2 a refused token fails, with what to do and Fly’s request id, and nothing else is asked', async () => {
    const checks = await checked({ token: [401, { error: 'unauthorized' }] })
    expect(checks['token']).toMatchObject({
      level: 'fail',
      fix: expect.stringContaining('fly tokens create') as string,
    })
    expect(checks['token']?.text).toContain('01REQ')
    expect(Object.keys(checks)).toEqual(['token', 'clock'])
  })

  it('FP2 so does one of another organization, or of single apps where apps are to be made', async () => {
    const other = await checked({ token: [200, { tokens: [{ org_slug: 'nobody' }] }] })
    expect(other['token']).toMatchObject({ level: 'fail', text: 'is for "nobody", not for "personal"' })
    api()
      .get('/v1/tokens/current')
      .reply(200, { tokens: [{ org_slug: 'personal', apps: [{ name: 'a' }] }] }, dated())
    const [token] = await flyPreflight(OPTIONS)
    expect(token?.level).toBe('fail')
    const shared = await checked(
      { token: [200, { tokens: [{ org_slug: 'personal', apps: [{ name: 'a' }] }] }] },
      { appTemplate: 'one-app' },
    )
    expect(shared['token']?.level).toBe('ok')
  })

  it('FP3 regions that are not there warn; when none is there it fails, and says which are', async () => {
    expect((await checked({}, { regions: ['iad', 'xxx'] }))['regions']).toMatchObject({ level: 'warn' })
    expect((await checked({}, { regions: ['ams'] }))['regions']).toMatchObject({
      level: 'fail',
      text: 'ams: not there',
      fix: 'set FLY_REGIONS to some of iad',
    })
    expect((await checked({ regions: [200, { regions: [{ code: 'iad' }] }] }))['regions']?.level).toBe('ok')
  })

  it('FP4 less room than the plans allow is a warning', async () => {
    const checks = await checked({}, { plannedSprites: 26 })
    expect(checks['placements']).toMatchObject({ level: 'warn' })
    expect((await checked({ placements: [500, { error: 'x' }] }))['placements']?.level).toBe('warn')
  })

  it('FP5 a clock that is off fails', async () => {
    api().get('/v1/tokens/current').reply(401, {}, dated(-120_000))
    expect((await flyPreflight(OPTIONS)).at(-1)).toMatchObject({ name: 'clock', level: 'fail' })
  })
})

describe('image', () => {
  const digest = `sha256:${'b'.repeat(64)}`

  it.each([
    ['alpine', 'registry-1.docker.io', 'library/alpine', 'latest'],
    ['a/b:1.2', 'registry-1.docker.io', 'a/b', '1.2'],
    ['registry.fly.io/x:y', 'registry.fly.io', 'x', 'y'],
    [`localhost:5000/x@${digest}`, 'localhost:5000', 'x', digest],
    [`r.example/a/b:1@${digest}`, 'r.example', 'a/b', digest],
  ])('FP6 "%s" is at %s', (image, host, repository, reference) => {
    expect(parseImage(image)).toEqual({ host, repository, reference })
  })

  it('FP6 what is no name is no image', async () => {
    for (const image of ['', 'UPPER', '../x', 'a b', 'x@sha256:1'])
      expect(await imageCheck(image, { clock })).toMatchObject({ level: 'fail' })
  })

  it('FP6 Fly’s registry is asked with the token; a tag is told with its digest, a pinned one is well', async () => {
    const asked = (reference: string): nock.Interceptor =>
      nock('https://registry.fly.io', { reqheaders: { authorization: `Basic ${btoa('x:fm2_token')}` } }).head(
        `/v2/sprites/manifests/${encodeURIComponent(reference)}`,
      )
    asked('latest').reply(200, '', { 'docker-content-digest': digest })
    expect(await imageCheck('registry.fly.io/sprites', { clock, flyToken: 'FlyV1 fm2_token' })).toMatchObject({
      level: 'warn',
      fix: expect.stringContaining(digest) as string,
    })
    asked(digest).reply(200)
    expect((await imageCheck(`registry.fly.io/sprites@${digest}`, { clock, flyToken: 'fm2_token' })).level).toBe('ok')
    asked('gone').reply(404)
    expect((await imageCheck('registry.fly.io/sprites:gone', { clock, flyToken: 'fm2_token' })).level).toBe('fail')
  })

  it('FP6 a registry that cannot be reached is told with why', async () => {
    const fetch = (): Promise<Response> =>
      Promise.reject(new TypeError('fetch failed', { cause: new Error('ENOTFOUND r.io') }))
    expect(await imageCheck('r.io/x:1', { clock, fetch })).toMatchObject({
      level: 'warn',
      text: 'cannot ask "r.io" for it: ENOTFOUND r.io',
    })
  })

  it('FP6 a public image is asked for with the token that anybody may have; Fly’s goes nowhere else', async () => {
    const host = nock('https://registry-1.docker.io', { badheaders: ['authorization'] })
    const challenge = 'Bearer realm="https://auth.example/token",service="r",scope="pull"'
    host.head('/v2/a/b/manifests/1').reply(401, '', { 'www-authenticate': challenge })
    nock('https://auth.example').get('/token').query({ service: 'r', scope: 'pull' }).reply(200, { token: 't' })
    nock('https://registry-1.docker.io', { reqheaders: { authorization: 'Bearer t' } })
      .head('/v2/a/b/manifests/1')
      .reply(200)
    expect((await imageCheck('a/b:1', { clock, flyToken: 'fm2_token' })).text).toContain('can be pulled')
    host.head('/v2/a/b/manifests/2').reply(503)
    expect(await imageCheck('a/b:2', { clock })).toMatchObject({
      level: 'warn',
      fix: expect.stringContaining('not pinned'),
    })
    host.head(`/v2/a/b/manifests/${encodeURIComponent(digest)}`).reply(503)
    expect((await imageCheck(`a/b:2@${digest}`, { clock })).fix).toBeUndefined()
  })
})
