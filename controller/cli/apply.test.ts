/** Tests of apply, delete and apply sets, against a real API server. */
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { spriteKind } from '../kinds/sprite/schema.ts'
import { tenantKind } from '../kinds/tenant/schema.ts'
import { planKind } from '../kinds/plan/schema.ts'
import { applySetId } from './apply-set.ts'
import { GROWTH_LIMITS, namespaceOf, spriteYaml, tenantOf, TENANT_YAML } from './objects-for-tests.ts'
import { cliWorld, folderWith, hastyClock, type CliWorld } from './testing.ts'

let world: CliWorld
let folders: (() => Promise<void>)[]

beforeEach(async () => {
  world = await cliWorld()
  folders = []
})
afterEach(async () => {
  await world.close()
  for (const remove of folders) await remove()
})

const folder = async (files: Readonly<Record<string, string>>): Promise<string> => {
  const { path, remove } = await folderWith(files)
  folders.push(remove)
  return path
}

/** The tenant as its controller leaves it. */
const withTenant = async (): Promise<void> => {
  await world.put(tenantOf('acme', { limits: GROWTH_LIMITS }))
  await world.put(namespaceOf('acme'))
}

const spriteNames = async (): Promise<string[]> =>
  (await world.client.list(spriteKind, { namespace: 'acme' })).items.map(({ metadata }) => metadata.name)

describe('apply', () => {
  it('CLI4 creates, then finds everything unchanged and writes nothing', async () => {
    await withTenant()
    const path = await folder({
      'a.yaml': `${spriteYaml('one')}---\n${spriteYaml('two')}`,
      'deep/b.yml': spriteYaml('three'),
    })
    const first = await world.run(['apply', '-f', path])
    expect(first).toEqual({
      code: 0,
      out: ['one', 'two', 'three'].map((name) => `sprite.sprites.highera.com/${name} created\n`).join(''),
      err: '',
    })
    const before = await world.revision()
    const second = await world.run(['apply', '-f', path])
    expect(second.out.match(/ unchanged$/gm)).toHaveLength(3)
    expect(await world.revision()).toBe(before)
  })

  it('CLI4 removes a field that left the file, keeps what others set, replaces lists whole', async () => {
    await withTenant()
    const more = '  idleTimeoutSeconds: 60\n  regions: [iad, fra]\n'
    await world.run(['apply', '-f', '-'], { stdin: spriteYaml('one', 'copywriter', more) })
    const key = { namespace: 'acme', name: 'one' }
    const made = await world.client.get(spriteKind, key)
    await world.client.update(spriteKind, {
      ...made,
      metadata: { ...made.metadata, labels: { theirs: 'kept' } },
      spec: { ...made.spec, image: 'theirs:1' },
    })
    const { out } = await world.run(['apply', '-f', '-'], {
      stdin: spriteYaml('one', 'copywriter', '  regions: [fra]\n'),
    })
    expect(out).toBe('sprite.sprites.highera.com/one configured\n')
    const now = await world.client.get(spriteKind, key)
    expect(now.spec).toEqual({ agentType: 'copywriter', runPolicy: 'OnDemand', regions: ['fra'], image: 'theirs:1' })
    expect(now.metadata.labels).toEqual({ theirs: 'kept' })
  })

  it('CLI4 says null where the file says null, which a merge patch could not', async () => {
    const plan = (sprites: string): string =>
      `apiVersion: sprites.highera.com/v1alpha1\nkind: Plan\nmetadata: {name: own}\nspec:\n  concurrentSprites: ${sprites}\n  agentTypes: 5\n  monthlyTokens: 1000\n  spriteIdleTimeoutSeconds: 60\n`
    await world.run(['apply', '-f', '-'], { stdin: plan('3') })
    const { code, err } = await world.run(['apply', '-f', '-'], { stdin: plan('null') })
    expect([code, err]).toEqual([0, ''])
    const now = await world.client.get(planKind, { namespace: '', name: 'own' })
    expect(now.spec.concurrentSprites).toBeNull()
    const again = await world.run(['apply', '-f', '-'], { stdin: plan('null') })
    expect(again.out).toContain('unchanged')
  })

  it('CLI3 writes nothing when one document of many is bad, and tells each problem at its place', async () => {
    await withTenant()
    const before = await world.revision()
    const path = await folder({
      'good.yaml': spriteYaml('good'),
      'bad.yaml': `${spriteYaml('also-good')}---\n${spriteYaml('worse', 'copywriter', '  runPolicy: Sometimes\n  regoins: [iad]\n')}`,
    })
    const { code, out, err } = await world.run(['apply', '-f', path])
    expect([code, out]).toEqual([1, ''])
    const bad = join(path, 'bad.yaml')
    expect(err).toContain(`${bad}:16:14: spec.runPolicy: `)
    expect(err).toContain(`${bad}:17:3: spec.regoins: Unknown field "regoins"`)
    expect(err).toContain('did you mean regions?')
    expect(err).toContain('Nothing was applied: 2 problems\n')
    expect(await world.revision()).toBe(before)
  })

  const refusals: Readonly<Record<string, readonly [string, RegExp]>> = {
    'a sprite without its tenant': [spriteYaml('lost'), /-?:\d+:\d+: metadata\.namespace: .*no Tenant has this name/],
    'an unknown agent type': [
      `${TENANT_YAML}---\n${spriteYaml('odd', 'copywritr')}`,
      /:15:14: spec\.agentType: .*copywritr/,
    ],
    'a limit above the plan': [
      `${TENANT_YAML}  config:\n    maxConcurrentSprites: 40\n`,
      /:9:27: spec\.config\.maxConcurrentSprites: .*40/,
    ],
    'an unknown plan': [TENANT_YAML.replace('growth', 'platinum'), /:7:9: spec\.plan: .*platinum/],
    'the same object twice': [
      `${TENANT_YAML}---\n${TENANT_YAML}`,
      /:12:9: metadata\.name: Tenant "acme" is declared twice/,
    ],
    'no namespace': [
      spriteYaml('bare').replace('  namespace: acme\n', ''),
      /:[34]:\d+: metadata\.namespace: Required value is missing/,
    ],
    'no YAML': ['a: [1', /<stdin>:\d+:\d+: Cannot read the YAML/],
  }
  it.each(Object.entries(refusals))('CLI3 refuses %s at its line and column', async (_name, [stdin, expected]) => {
    const before = await world.revision()
    const { code, err } = await world.run(['apply', '-f', '-'], { stdin })
    expect(code).toBe(1)
    expect(err).toMatch(expected)
    expect(await world.revision()).toBe(before)
  })

  it('CLI3 admits objects by what is applied with them', async () => {
    const stdin = `${spriteYaml('one')}---\n${TENANT_YAML}`
    const { code, err } = await world.run(['apply', '-f', '-', '--dry-run', 'client'], { stdin })
    expect([code, err]).toEqual([0, ''])
  })

  it.each(['client', 'server'])('CLI6 a %s dry run stores nothing', async (kind) => {
    await withTenant()
    const before = await world.revision()
    const { code, out } = await world.run(['apply', '-f', '-', '--dry-run', kind], { stdin: spriteYaml('one') })
    expect(code).toBe(0)
    expect(out).toMatch(/created \(.*dry run\)\n/)
    expect(await world.revision()).toBe(before)
  })

  it('CLI6 a server dry run of a tenant with what is in it does not fail for the tenant that it did not store', async () => {
    const stdin = `${TENANT_YAML}---\n${spriteYaml('one')}`
    const before = await world.revision()
    const { code, err } = await world.run(['apply', '-f', '-', '--dry-run', 'server'], { stdin })
    expect([code, err]).toEqual([0, ''])
    expect(await world.revision()).toBe(before)
  })

  it('CLI7 waits for the namespace and the limits of a tenant that is applied with it', async () => {
    const clock = hastyClock()
    let looks = 0
    const stdin = `${spriteYaml('one')}---\n${TENANT_YAML}`
    const { code, out } = await world.run(['apply', '-f', '-'], {
      stdin,
      clock: {
        ...clock,
        sleep: async (ms) => {
          await clock.sleep(ms)
          looks += 1
          if (looks === 2) await world.put(namespaceOf('acme'))
          if (looks === 4)
            await world.client.patchStatus(tenantKind, { namespace: '', name: 'acme' }, { limits: GROWTH_LIMITS })
        },
      },
    })
    expect([code, looks]).toEqual([0, 4])
    expect(out.split('\n').slice(0, 2)).toEqual([
      'tenant.sprites.highera.com/acme created',
      'sprite.sprites.highera.com/one created',
    ])
  })

  it('CLI7 waits no longer than 30 s, and says what to look at', async () => {
    const { code, err } = await world.run(['apply', '-f', '-'], { stdin: `${TENANT_YAML}---\n${spriteYaml('one')}` })
    expect(code).toBe(1)
    expect(err).toContain('Tenant "acme" was applied but is not ready after 30 s: see "spritectl describe tenant acme"')
  })

  it('CLI5 prunes what left the files of the set, and nothing else', async () => {
    await withTenant()
    await world.run(['apply', '-f', '-'], { stdin: spriteYaml('stranger') })
    await world.run(['apply', '-f', '-', '--apply-set', 'other'], { stdin: spriteYaml('of-another-set') })
    await world.run(['apply', '-f', '-', '--apply-set', 'mine'], {
      stdin: `${spriteYaml('keep')}---\n${spriteYaml('drop')}`,
    })
    const args = ['apply', '-f', '-', '--apply-set', 'mine', '--prune']
    const tried = await world.run([...args, '--dry-run', 'client'], { stdin: spriteYaml('keep') })
    expect(tried.out).toContain('sprite.sprites.highera.com/drop pruned (dry run)')
    expect(await spriteNames()).toContain('drop')
    const { out } = await world.run(args, { stdin: spriteYaml('keep') })
    expect(out).toBe('sprite.sprites.highera.com/keep unchanged\nsprite.sprites.highera.com/drop pruned\n')
    expect(await spriteNames()).toEqual(['keep', 'of-another-set', 'stranger'])
  })

  it('CLI5 needs the name of the set to prune', async () => {
    const { code, err } = await world.run(['apply', '-f', 'x', '--prune'])
    expect(code).toBe(2)
    expect(err).toContain('--apply-set')
    expect(applySetId('a')).toMatch(/^applyset-[A-Za-z0-9_-]{43}-v1$/)
  })
})

describe('delete', () => {
  it('CLI11 deletes by name and by file, dependents first', async () => {
    await withTenant()
    const stdin = `${TENANT_YAML}---\n${spriteYaml('one')}---\n${spriteYaml('two')}`
    await world.run(['apply', '-f', '-'], { stdin })
    expect(await world.run(['delete', 'sprite', 'one', '-n', 'acme'])).toEqual({
      code: 0,
      out: 'sprite.sprites.highera.com/one deleted\n',
      err: '',
    })
    const again = await world.run(['delete', 'spr/one', '-n', 'acme'])
    expect([again.code, again.err]).toEqual([1, expect.stringContaining('"one" not found')])
    const { code, out } = await world.run(['delete', '-f', '-', '--ignore-not-found'], { stdin })
    expect([code, out.split('\n')]).toEqual([
      0,
      ['sprite.sprites.highera.com/two deleted', 'tenant.sprites.highera.com/acme deleted', ''],
    ])
  })

  it('CLI11 waits for finalizers, and says so when they take too long', async () => {
    await withTenant()
    await world.run(['apply', '-f', '-'], { stdin: spriteYaml('one') })
    const made = await world.client.get(spriteKind, { namespace: 'acme', name: 'one' })
    await world.client.update(spriteKind, { ...made, metadata: { ...made.metadata, finalizers: ['x.example/hold'] } })
    const { code, err } = await world.run(['delete', 'sprite', 'one', '-n', 'acme', '--timeout', '3s'])
    expect(code).toBe(1)
    expect(err).toContain('sprite.sprites.highera.com/one is still going')
  })

  it('CLI11 wants either a name or files', async () => {
    expect((await world.run(['delete'])).code).toBe(2)
    expect((await world.run(['delete', 'sprite'])).code).toBe(2)
    expect((await world.run(['delete', 'sprite', 'one', '-f', 'x', '-n', 'acme'])).code).toBe(2)
  })
})
