/** Tests of the commands that read, wait, submit and tell, against a real API server. */
import { createHash } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ApiError, statusOf } from '../api/errors.ts'
import { spriteKind, type Sprite } from '../kinds/sprite/schema.ts'
import { workKind } from '../kinds/work/schema.ts'
import { GROWTH_LIMITS, namespaceOf, readyCondition, spriteOf, tenantOf, workOf } from './objects-for-tests.ts'
import { cliWorld, folderWith, hastyClock, runLine, type CliWorld } from './testing.ts'

let world: CliWorld

beforeEach(async () => {
  world = await cliWorld({
    extraRoutes: (_request, response, url) => {
      if (!url.pathname.endsWith('/log')) return Promise.resolve(false)
      if (url.pathname === '/v1/tenants/acme/sprites/one/log')
        response.end(`line 1\nfollow=${url.searchParams.get('follow')}\n`)
      else {
        response.writeHead(404, { 'content-type': 'application/json' })
        response.end(JSON.stringify(statusOf(new ApiError('NotFound', 'It has had no machine yet'))))
      }
      return Promise.resolve(true)
    },
  })
  await world.put(tenantOf('acme', { limits: GROWTH_LIMITS, conditions: [readyCondition('Active')] }))
  await world.put(namespaceOf('acme'))
})
afterEach(() => world.close())

const BLOCKED: NonNullable<Sprite['status']> = {
  phase: 'Queued',
  observedGeneration: 1,
  conditions: [readyCondition('Queued', 'Waits for a slot at position 2', 'False')],
  blockers: [{ reason: 'Queued', limit: 2, used: 2, requested: 1, position: 2, holders: ['a', 'b'], fix: 'Stop one' }],
}

describe('get', () => {
  it('CLI8 shows the columns that the server gives, aligned', async () => {
    await world.put(spriteOf('one', { phase: 'Idle', conditions: [readyCondition('Running')] }))
    await world.put(spriteOf('second-one', { phase: 'Queued' }, { agentType: 'editor' }))
    const { code, out } = await world.run(['get', 'sprites', '-n', 'acme'])
    expect(code).toBe(0)
    expect(out).toBe(
      [
        'NAME         AGENT        PHASE    READY    PROJECT   TASK     AGE',
        'one          copywriter   Idle     True     <none>    <none>   0s',
        'second-one   editor       Queued   <none>   <none>    <none>   0s',
        '',
      ].join('\n'),
    )
  })

  it('CLI8 shows more with -o wide, and the tenant with -A', async () => {
    await world.put(spriteOf('one', BLOCKED))
    const wide = await world.run(['get', 'spr', '-A', '-o', 'wide'])
    expect(wide.out.split('\n')[0]).toMatch(/^NAMESPACE {3}NAME .* MACHINE .* REGION .* REASON .* MESSAGE$/)
    expect(wide.out).toContain('Waits for a slot at position 2')
  })

  it('CLI8 prints objects for scripts', async () => {
    await world.put(spriteOf('one'))
    const one = JSON.parse((await world.run(['get', 'sprite', 'one', '-n', 'acme', '-o', 'json'])).out) as object
    expect(one).toMatchObject({ kind: 'Sprite', metadata: { name: 'one' } })
    const many = JSON.parse((await world.run(['get', 'sprites,tenants', '-A', '-o', 'json'])).out) as object
    expect(many).toMatchObject({ kind: 'List', items: [{ kind: 'Sprite' }, { kind: 'Tenant' }] })
    expect((await world.run(['get', 'sprite/one', '-n', 'acme', '-o', 'yaml'])).out).toMatch(
      /^apiVersion: sprites\.highera\.com\/v1alpha1\nkind: Sprite\nmetadata:\n {2}name: one\n/,
    )
    expect((await world.run(['get', 'fleet', '-n', 'acme', '-o', 'name'])).out).toContain(
      'sprite.sprites.highera.com/one\n',
    )
  })

  it('CLI8 follows the pages of a long list, and selects', async () => {
    for (let index = 0; index < 620; index++)
      await world.put(workOf(`w${String(index).padStart(3, '0')}`, { phase: index === 600 ? 'Failed' : 'Pending' }))
    const all = await world.run(['get', 'work', '-n', 'acme'])
    expect(all.out.trimEnd().split('\n')).toHaveLength(621)
    const failed = await world.run([
      'get',
      'work',
      '-n',
      'acme',
      '--field-selector',
      'status.phase=Failed',
      '-o',
      'name',
    ])
    expect(failed.out).toBe('work.sprites.highera.com/w600\n')
  })

  it('CLI8 says when there is nothing', async () => {
    expect(await world.run(['get', 'work', '-n', 'acme'])).toEqual({
      code: 0,
      out: '',
      err: 'Nothing found in the namespace of tenant "acme"\n',
    })
    const missing = await world.run(['get', 'work', 'nothing', '-n', 'acme'])
    expect([missing.code, missing.err]).toEqual([1, expect.stringContaining('"nothing" not found')])
  })

  it.each([
    [['get', 'sprts', '-n', 'acme'], 'Unknown kind "sprts": did you mean'],
    [['get', 'sprites'], 'Name the tenant with -n'],
    [['get', 'sprite', 'one', '-A'], 'Name the tenant with -n'],
    [['get', 'sprites', '-n', 'acme', '-o', 'xml'], 'xml'],
    [['get', 'sprites,work', '-A', '-w'], 'Watch one kind at a time'],
    [['gte', 'sprites'], 'Unknown command "gte", did you mean'],
    [['get', 'sprites', '-n', 'acme', '--nope'], 'nope'],
    [['get'], 'KIND'],
  ])('CLI1 %j is a wrong command line: exit 2', async (args, expected) => {
    const { code, out, err } = await world.run(args)
    expect([code, out]).toEqual([2, ''])
    expect(err).toContain(expected)
    expect(err.trimEnd().split('\n')).toHaveLength(1)
  })

  it('CLI9 shows what is there and every change until it is stopped', async () => {
    await world.put(spriteOf('one', { phase: 'Starting' }))
    let stop = (): void => {}
    let seen = ''
    const { code, out } = await world.run(['get', 'sprites', '-n', 'acme', '-w'], {
      onStart: (stopper) => (stop = stopper),
      onOut: (text) => {
        seen += text
        if (/one .*Starting/.test(seen) && !/Idle/.test(seen))
          void world.client.patchStatus(spriteKind, { namespace: 'acme', name: 'one' }, { phase: 'Idle' })
        if (/one .*Idle/.test(seen)) stop()
      },
    })
    expect(code).toBe(0)
    expect(
      out
        .trimEnd()
        .split('\n')
        .map((line) => line.split(/ +/).slice(0, 3)),
    ).toEqual([
      ['NAME', 'AGENT', 'PHASE'],
      ['one', 'copywriter', 'Starting'],
      ['one', 'copywriter', 'Idle'],
    ])
  })
})

describe('describe', () => {
  it('CLI10 shows conditions, blockers with their fix, and events', async () => {
    await world.put(spriteOf('one', BLOCKED))
    const { out, code } = await world.run(['describe', 'sprite', 'one', '-n', 'acme'])
    expect(code).toBe(0)
    for (const line of [
      /^Name: +one$/m,
      /^Conditions:\n +TYPE +STATUS +REASON +SINCE +MESSAGE\n +Ready +False +Queued +2026-01-15T12:00:00Z +Waits for a slot at position 2$/m,
      /^ +Position: +2\n +Holders: +a, b\n +Fix: +Stop one$/m,
      /^Events: +<none>$/m,
    ])
      expect(out).toMatch(line)
  })
})

describe('wait', () => {
  it('CLI12 ends when the condition holds of what is declared now', async () => {
    await world.put(spriteOf('one', { conditions: [{ ...readyCondition('Running'), observedGeneration: 0 }] }))
    const key = { namespace: 'acme', name: 'one' }
    const clock = hastyClock()
    let looks = 0
    const { code, out } = await world.run(['wait', 'sprite/one', '-n', 'acme', '--for', 'condition=ready'], {
      clock: {
        ...clock,
        sleep: async (ms) => {
          await clock.sleep(ms)
          looks += 1
          if (looks === 3) await world.client.patchStatus(spriteKind, key, { conditions: [readyCondition('Running')] })
        },
      },
    })
    expect([code, out, looks]).toEqual([0, 'sprite.sprites.highera.com/one condition met\n', 3])
  })

  it('CLI12 says why when it is not so in time', async () => {
    await world.put(spriteOf('one', { conditions: [readyCondition('Queued', 'Waits for a slot', 'False')] }))
    const { code, err } = await world.run([
      'wait',
      'sprite',
      'one',
      '-n',
      'acme',
      '--for',
      'condition=Ready',
      '--timeout',
      '2s',
    ])
    expect(code).toBe(1)
    expect(err).toBe(
      'Error: Timed out waiting for condition=Ready of sprite.sprites.highera.com/one: Waits for a slot\n',
    )
  })

  it('CLI12 fails at once for a phase that can never come', async () => {
    await world.put(workOf('w', { phase: 'Failed', conditions: [readyCondition('Failed', 'It broke', 'False')] }))
    const { code, err } = await world.run(['wait', 'work', 'w', '-n', 'acme', '--for', 'phase=Completed'])
    expect([code, err]).toEqual([1, expect.stringContaining('is Failed and stays so: It broke')])
  })

  it('CLI12 waits for deletion; what is not there is gone', async () => {
    const gone = await world.run(['wait', 'work', 'w', '-n', 'acme', '--for', 'delete'])
    expect([gone.code, gone.out]).toEqual([0, 'work.sprites.highera.com/w deleted\n'])
    const missing = await world.run(['wait', 'work', 'w', '-n', 'acme', '--for', 'phase=Completed'])
    expect([missing.code, missing.err]).toEqual([1, 'Error: Work "w" is not there\n'])
    expect((await world.run(['wait', 'work', 'w', '-n', 'acme', '--for', 'luck'])).code).toBe(2)
  })
})

describe('logs', () => {
  it('CLI13 prints the log, and says when there is none', async () => {
    expect((await world.run(['logs', 'one', '-n', 'acme', '-f'])).out).toBe('line 1\nfollow=true\n')
    const none = await world.run(['logs', 'two', '-n', 'acme'])
    expect([none.code, none.err]).toEqual([1, 'Error from server (NotFound): It has had no machine yet\n'])
  })
})

describe('work submit', () => {
  const ARGS = [
    'work',
    'submit',
    '--tenant',
    'acme',
    '--type',
    'write_copy',
    '--agent',
    'copywriter',
    '--description',
    'Write',
  ]

  it('CLI14 creates one Work with its facts; the same key is the same Work', async () => {
    const args = [...ARGS, '--input', '-', '--idempotency-key', 'k', '--priority', '7', '--deadline', '2h']
    const { code, out } = await world.run(args, { stdin: '{"product": "CureSight"}' })
    // As the Coordinator names it, so that a task that comes both ways is one.
    const hash = createHash('sha256').update('["acme","k"]').digest('hex').slice(0, 16)
    expect([code, out]).toEqual([
      0,
      `work.sprites.highera.com/work-${hash} created
`,
    ])
    const again = await world.run(args, { stdin: '{}' })
    expect(again.out).toContain('unchanged, the key is known')
    const { items } = await world.client.list(workKind, { namespace: 'acme' })
    expect(items).toHaveLength(1)
    expect(items[0]?.spec).toMatchObject({
      type: 'write_copy',
      agentType: 'copywriter',
      input: { product: 'CureSight' },
      priority: 7,
      deadline: '2026-01-15T14:00:00Z',
      idempotencyKey: 'k',
    })
  })

  it.each([
    ['Completed', 0, /--- copy \(rehearsal\) ---\nHello \[31mred\n/],
    ['Failed', 1, /is Failed: It broke/],
  ] as const)('CLI14 waits until it is %s', async (phase, expectedCode, expected) => {
    const clock = hastyClock()
    let isDone = false
    const { code, out, err } = await world.run([...ARGS, '--wait', '--idempotency-key', 'k'], {
      clock: {
        ...clock,
        sleep: async (ms) => {
          await clock.sleep(ms)
          if (isDone) return
          isDone = true
          const [work] = (await world.client.list(workKind, { namespace: 'acme' })).items
          const key = { namespace: 'acme', name: work?.metadata.name ?? '' }
          await world.client.patchStatus(workKind, key, {
            phase,
            rehearsal: true,
            conditions: [readyCondition('Failed', 'It broke', 'False')],
            deliverables: [
              { name: 'copy', mediaType: 'text/plain', content: 'Hello \u001b[31mred', digest: 'sha256:0' },
            ],
          })
        },
      },
    })
    expect(code).toBe(expectedCode)
    expect(out + err).toMatch(expected)
  })

  it.each([
    [[...ARGS.slice(0, 6), '--description', 'x'], 2, 'Say who does it'],
    [[...ARGS, '--deadline', 'tomorrow'], 2, 'Name a time such as'],
    [[...ARGS, '--input', '/nowhere'], 1, 'Cannot find "/nowhere"'],
  ])('CLI14 %j is refused', async (args, expectedCode, expected) => {
    const { code, err } = await world.run(args)
    expect([code, err]).toEqual([expectedCode, expect.stringContaining(expected)])
  })

  it('CLI2 prints what the server refuses as one line', async () => {
    const { code, err } = await world.run([...ARGS.slice(0, 6), '--agent', 'nobody', '--description', 'x'])
    expect(code).toBe(1)
    expect(err).toMatch(/^Error from server \(Invalid\): .*nobody.*\n$/)
  })
})

describe('finding the API', () => {
  it('CLI2 says that nothing listens', async () => {
    const { code, err } = await runLine(['get', 'tenants', '--server', 'http://127.0.0.1:1', '--token', 'x'])
    expect(code).toBe(1)
    expect(err).toBe('Error: Nothing listens at http://127.0.0.1:1: is it running? Start it with "npm start"\n')
  })

  it('CLI2 says that the token is not known', async () => {
    const { code, err } = await runLine(['get', 'tenants', '--server', world.url, '--token', 'wrong'])
    expect([code, err]).toEqual([1, expect.stringContaining('does not know this token')])
  })

  it('CLI2 says where it looked for the kubeconfig', async () => {
    const { path, remove } = await folderWith({ 'bad/kubeconfig': 'nonsense: [' })
    const none = await runLine(['get', 'tenants', '--data', path])
    expect([none.code, none.err]).toEqual([1, expect.stringContaining(`Find no kubeconfig at "${path}/kubeconfig"`)])
    const bad = await runLine(['get', 'tenants', '--data', `${path}/bad`])
    expect([bad.code, bad.err]).toEqual([1, expect.stringContaining('it is not YAML')])
    await remove()
  })

  it('CLI20 proposes commands, flags and kinds', async () => {
    const propose = async (...words: string[]) => (await runLine(['__complete', ...words])).out.trimEnd().split('\n')
    expect(await propose('va')).toEqual(['validate'])
    expect(await propose('get', 'spr')).toEqual(['sprites'])
    expect(await propose('apply', '--dry')).toContain('--dry-run')
    expect(await propose('work', '')).toContain('submit')
    expect((await runLine(['completion', 'zsh'])).out).toContain('#compdef spritectl')
    expect((await runLine(['completion', 'fish'])).code).toBe(2)
  })
})
