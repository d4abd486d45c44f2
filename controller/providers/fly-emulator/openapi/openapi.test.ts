/** Every emulated route is asked, and every request and answer is as the official description says, less what is known to differ. */
import { describe, expect, it } from 'vitest'
import { settle } from '../../../../system/test-clock.ts'
import { EMULATED } from '../answering.ts'
import type { Exchange } from '../fly-emulator.ts'
import { createWatch, DESCRIPTION, DEVIATIONS, openHouse, type House, type Shown } from '../testing.ts'
import { deviationOf, findingsOf, type Deviation, type Finding } from './check.ts'

const FULL = {
  image: 'registry.fly.io/x:1',
  env: { A: '1' },
  metadata: { k: 'v' },
  guest: { cpu_kind: 'shared', cpus: 1, memory_mb: 256 },
  auto_destroy: false,
  restart: { policy: 'on-failure', max_retries: 1 },
  stop_config: { signal: 'SIGTERM', timeout: '5s' },
  services: [{ internal_port: 80, protocol: 'tcp', autostop: 'stop', autostart: true }],
}

/** Asks everything once, well and badly. */
async function tour(house: House): Promise<void> {
  await apps(house)
  await machines(house)
  await refusals(house)
  await rest(house)
}

async function apps({ call }: House): Promise<void> {
  await call('POST', '/apps', { app_name: 'a2', org_slug: 'personal', idempotency_key: 'k' })
  await call('POST', '/apps', { name: 'a2', org_slug: 'personal' })
  await call('GET', '/apps?org_slug=personal')
  await call('GET', '/apps/a1')
  await call('GET', '/apps/none')
  await call('POST', '/apps/a1/deploy_token', { expiry: '1h' })
  await call('POST', '/apps/a1/secrets', { values: { A: '1', B: '2' } })
  await call('POST', '/apps/a1/secrets', { values: { B: null } })
  await call('GET', '/apps/a1/secrets?show_secrets=true&min_version=1')
  await call('POST', '/apps/a1/secrets/C', { value: '3' })
  await call('GET', '/apps/a1/secrets/C')
  await call('DELETE', '/apps/a1/secrets/C')
  const address: { ip: string } = (await call('POST', '/apps/a1/ip_assignments', { type: 'private_v6', network: 'n' }))
    .json
  await call('GET', '/apps/a1/ip_assignments')
  await call('DELETE', `/apps/a1/ip_assignments/${encodeURIComponent(address.ip)}`)
  const rules = [{ action: 'allow', direction: 'egress', ports: [{ protocol: 'tcp', port: 443 }] }]
  const policy: { id: string } = (
    await call('POST', '/apps/a1/network_policies', { name: 'p', selector: { all: true }, rules })
  ).json
  await call('GET', '/apps/a1/network_policies')
  await call('DELETE', `/apps/a1/network_policies/${policy.id}`)
  const volume: { id: string } = (await call('POST', '/apps/a1/volumes', { name: 'v', region: 'iad' })).json
  await call('GET', '/apps/a1/volumes')
  await call('GET', `/apps/a1/volumes/${volume.id}`)
  await call('DELETE', `/apps/a1/volumes/${volume.id}`)
}

async function machines({ call, create, runner, emulator, clock }: House): Promise<void> {
  const {
    id,
    instance_id: version,
    nonce = '',
  }: Shown = (
    await call('POST', '/apps/a1/machines', {
      name: 'm1',
      region: 'iad',
      lease_ttl: 60,
      min_secrets_version: 1,
      config: FULL,
    })
  ).json
  const path = `/apps/a1/machines/${id}`
  const mine = { 'fly-machine-lease-nonce': nonce }
  await call('GET', '/apps/a1/machines?metadata.k=v&include_deleted=true&summary=true&state=started&region=iad')
  await call('GET', path)
  await call('GET', `${path}/wait?state=started&timeout=1`)
  await call('GET', `${path}/lease`)
  await call('POST', `${path}/lease`, { ttl: 60, description: 'd' }, mine)
  await call('POST', `${path}/cordon`, undefined, mine)
  await call('POST', `${path}/uncordon`, undefined, mine)
  await call('GET', `${path}/metadata`)
  await call('PATCH', `${path}/metadata`, { metadata: { a: '1', k: null }, machine_version: version })
  await call('PUT', `${path}/metadata`, { metadata: { a: '1' } })
  await call('POST', `${path}/metadata/b`, { value: '2' })
  await call('GET', `${path}/metadata/b`)
  await call('DELETE', `${path}/metadata/b`)
  await call('GET', `${path}/ps`)
  await call('POST', path, { config: FULL, current_version: version, name: 'm1', region: 'iad' }, mine)
  await settle()
  await call('GET', `${path}/versions`)
  runner.exit(id, { code: 3 })
  await settle()
  await call('GET', path)
  await call('GET', `${path}/events?limit=5`)
  await call('POST', `${path}/restart?timeout=5&signal=SIGTERM&force_stop=true`, undefined, mine)
  await call('POST', `${path}/restart`, { timeout: '5s' }, mine)
  await settle()
  await call('POST', `${path}/suspend`, undefined, mine)
  await call('POST', `${path}/start`, undefined, mine)
  await call('POST', `${path}/signal`, { signal: 'SIGTERM' }, mine)
  await settle()
  await call('POST', `${path}/stop`, { signal: 'SIGTERM', timeout: '1s' }, mine)
  await settle()
  await call('DELETE', `${path}/lease`, undefined, mine)
  emulator.setHostStatus(id, 'unreachable')
  await call('GET', path)
  await call('GET', '/apps/a1/machines')
  emulator.setHostStatus(id, 'ok')
  await call('DELETE', `${path}?force=true`)
  await settle()
  const { id: other } = await create({ name: 'm2' })
  await call('DELETE', `/apps/a1/machines/${other}?kill=true`)
  await clock.advance(10)
}

async function refusals({ call, create, emulator, clock }: House): Promise<void> {
  const { id } = await create({ name: 'm3' })
  const path = `/apps/a1/machines/${id}`
  await call('POST', '/apps/a1/machines', { name: 'm3', config: FULL })
  await call('POST', '/apps/a1/machines', { name: 'x', config: {} })
  await call('POST', '/apps/a1/machines', { name: 'x', config: { image: 'x'.repeat(2_000_000) } })
  await call('POST', `${path}/lease?ttl=1`)
  await clock.advance(1_000)
  await call('DELETE', path)
  const late = call('GET', `${path}/wait?state=suspended&timeout=1`)
  await clock.advance(1_000)
  await late
  await call('POST', `${path}/exec`, { command: ['ls'] })
  await call('GET', '/apps/a1', undefined, { authorization: '' })
  emulator.placement.add({ shape: 'quota403', room: 0 })
  await call('POST', '/apps/a1/machines', { name: 'x', config: FULL })
  emulator.placement.clear()
  emulator.placement.add({ shape: 'region503', room: 0 })
  await call('POST', '/apps/a1/machines', { name: 'x', config: FULL })
  emulator.placement.clear()
  emulator.faults.add({ action: 'getApp', fault: { kind: 'status', status: 429 } })
  await call('GET', '/apps/a1')
}

async function rest({ call, create, emulator }: House): Promise<void> {
  const { id } = await create({ name: 'm4' })
  await call('GET', '/orgs/personal/machines?limit=1&summary=true&include_deleted=true')
  await call('GET', '/orgs/personal/machines?updated_after=2020-01-01T00:00:00Z&cursor=0&region=iad&state=started')
  await call('GET', '/platform/regions')
  await call('POST', '/platform/placements', { org_slug: 'personal', region: 'iad', count: 0 })
  await call('GET', '/tokens/current')
  const inside = { method: 'POST', body: JSON.stringify({ aud: 'me' }) }
  await emulator.machineRequest(id, new Request('http://emulator/v1/tokens/oidc', inside))
  await call('DELETE', '/apps/a1?force=true')
}

/** Whether this operation of a known difference is what explains a finding. */
const isBy = (known: Deviation, operation: string, finding: Finding): boolean =>
  deviationOf([{ ...known, operations: [operation] }], finding) !== undefined

describe('the official description', () => {
  it('EA20 every exchange is as described, less the known deviations; every route is asked and every deviation seen', async () => {
    const house = await openHouse()
    await tour(house)
    expect(house.watch.unexplained).toEqual([])
    const unused = DEVIATIONS.flatMap((known) =>
      known.operations
        .filter((operation) => !house.watch.all.some((finding) => isBy(known, operation, finding)))
        .map((operation) => `${operation} ${known.at} ${known.path}`),
    )
    expect(unused).toEqual([])
    const asked = new Set(house.emulator.journal.map((entry) => entry.action))
    expect(EMULATED.map((route) => route.action).filter((action) => !asked.has(action))).toEqual([])
    await house.emulator.close()
  })

  it('EA20 the description is the official one, and all that it is silent about is listed', () => {
    expect(Object.keys(DESCRIPTION.operations)).toContain('POST /apps/{app_name}/machines')
    expect(new Set(DEVIATIONS.map((known) => JSON.stringify({ ...known, reason: '' }))).size).toBe(DEVIATIONS.length)
  })

  const exchange = (change: Partial<Exchange>): Exchange => ({
    method: 'GET',
    path: '/v1/apps/a/machines/m',
    query: new URLSearchParams(),
    requestText: '',
    status: 200,
    responseText: '{}',
    contentType: 'application/json',
    ...change,
  })
  const problems = (change: Partial<Exchange>): string[] =>
    findingsOf(DESCRIPTION, exchange(change)).map((one) => `${one.at} ${one.path} ${one.problem}`)

  it('EA20 the check sees each sort of fault', () => {
    expect(problems({})).toEqual([])
    expect(problems({ responseText: '{"id":1}' })).toEqual(['response.body id type'])
    expect(problems({ responseText: '{"host_status":"gone"}' })).toEqual(['response.body host_status enum'])
    expect(problems({ responseText: '{"idd":"x"}' })).toEqual(['response.body idd undeclared'])
    expect(problems({ responseText: '{"config":{"env":{"A":1}}}' })).toEqual(['response.body config.env.{} type'])
    expect(problems({ responseText: '{"events":[{"id":1},{"id":2}]}' })).toEqual(['response.body events[].id type'])
    expect(problems({ responseText: 'oops' })).toEqual(['response.body  not JSON'])
    expect(problems({ query: new URLSearchParams('x=1') })).toEqual(['request.query x undeclared'])
    expect(problems({ status: 418, responseText: '{"error":1}' })).toEqual([
      'response.status 418 undeclared',
      'response.body error type',
    ])
    expect(problems({ path: '/v1/nothing', status: 404 })).toEqual([])
    expect(problems({ path: '/v1/nothing' })).toEqual(['operation  undeclared'])
    expect(problems({ method: 'POST', path: '/v1/platform/placements', requestText: '{}' })).toEqual([
      'request.body .org_slug missing',
    ])
    expect(createWatch().unexplained).toEqual([])
  })
})
