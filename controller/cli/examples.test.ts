/** Tests that examples/ is right, that mistakes in it are told at their place, and what `plan` says of it. */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { spriteKind } from '../kinds/sprite/schema.ts'
import { GROWTH_LIMITS, namespaceOf, tenantOf } from './objects-for-tests.ts'
import { cliWorld, folderWith, runLine } from './testing.ts'
import { packageRoot } from './version.ts'

const EXAMPLES = join(packageRoot, 'examples')
let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'examples-'))
  await cp(EXAMPLES, folder, { recursive: true })
})
afterEach(() => rm(folder, { recursive: true, force: true }))

/** Puts a mistake into a file: the first `from` becomes `to`. */
async function plant(file: string, from: string, to: string): Promise<void> {
  const text = await readFile(join(folder, file), 'utf8')
  expect(text).toContain(from)
  await writeFile(join(folder, file), text.replace(from, to))
}

/** Line and column, from 1, of a text in a file. */
async function placeOf(file: string, wanted: string): Promise<string> {
  const before = (await readFile(join(folder, file), 'utf8')).split(wanted)[0] ?? ''
  const lines = before.split('\n')
  return `${join(folder, file)}:${lines.length}:${(lines.at(-1) ?? '').length + 1}`
}

describe('validate', () => {
  it('CLI21 finds nothing wrong with examples/ and personas/', async () => {
    const { code, out, err } = await runLine(['validate', EXAMPLES, join(packageRoot, 'personas')])
    expect([code, err]).toEqual([0, ''])
    expect(out).toMatch(/^Valid: 11 objects, \d+ personas\n$/)
  })

  type Mistake = readonly [name: string, file: string, from: string, to: string, at: string, says: RegExp]
  const MISTAKES: readonly Mistake[] = [
    [
      'an unknown field',
      'acme-corp/00-tenant.yaml',
      'displayName:',
      'displayNam:',
      'displayNam:',
      /spec\.displayNam: Unknown field .*displayName/,
    ],
    ['a wrong type', 'acme-corp/00-tenant.yaml', '5000000', 'lots', 'lots', /spec\.config\.monthlyTokenBudget: .*lots/],
    [
      'an unknown plan',
      'startup-xyz/00-tenant.yaml',
      'plan: starter',
      'plan: startr',
      'startr',
      /spec\.plan: .*startr/,
    ],
    [
      'a budget above the plan',
      'acme-corp/00-tenant.yaml',
      '5000000',
      '50000000',
      '50000000',
      /monthlyTokenBudget: .*50000000/,
    ],
    [
      'an agent without persona',
      'acme-corp/project-q1-launch.yaml',
      '- editor',
      '- edtor',
      'edtor',
      /spec\.agentsNeeded\[3\]: .*edtor.*editor/,
    ],
    [
      'a fourth agent type on starter',
      'startup-xyz/sprites.yaml',
      'runPolicy: Always',
      `runPolicy: Always
---
apiVersion: sprites.highera.com/v1alpha1
kind: Sprite
metadata: {name: one-more, namespace: startup-xyz}
spec: {agentType: researcher}`,
      'social-media-manager\n',
      /startup-xyz.*/,
    ],
    [
      'a wrong run policy',
      'startup-xyz/sprites.yaml',
      'runPolicy: Always',
      'runPolicy: Allways',
      'Allways',
      /spec\.runPolicy: Unsupported value "Allways"/,
    ],
    [
      'a missing field',
      'startup-xyz/work.yaml',
      '  type: write_copy\n',
      '',
      'agentType',
      /spec\.type: Required value is missing/,
    ],
    [
      'a name that is none',
      'acme-corp/users.yaml',
      'name: mira',
      'name: Mira',
      'Mira',
      /metadata\.name: Invalid name "Mira"/,
    ],
    [
      'an e-mail without host',
      'acme-corp/users.yaml',
      'tobias.kern@acme-corp.example',
      'tobias',
      'tobias\n  displayName',
      /spec\.email: /,
    ],
    ['broken YAML', 'acme-corp/users.yaml', 'kind: User', 'kind: [User', '', /Cannot read the YAML/],
    [
      'an unknown kind',
      'acme-corp/users.yaml',
      'kind: User',
      'kind: Usr',
      'Usr',
      /kind: Unknown kind "Usr".*did you mean User/,
    ],
    [
      'another tenant',
      'acme-corp/users.yaml',
      'namespace: acme-corp',
      'namespace: "acme corp"',
      '"acme corp"',
      /metadata\.namespace: Invalid namespace/,
    ],
    [
      'a YAML 1.1 boolean',
      'startup-xyz/00-tenant.yaml',
      'displayName: Startup XYZ',
      'displayName: yes',
      'yes',
      /spec\.displayName/,
    ],
  ]
  it.each(MISTAKES)('CLI21 tells %s at its place', async (_name, file, from, to, at, says) => {
    await plant(file, from, to)
    const { code, out, err } = await runLine(['validate', folder])
    expect(code).toBe(1)
    expect(out).toMatch(/^Not valid: \d+ problems?\n$/)
    const line = err.split('\n').find((one) => says.test(one)) ?? err
    expect(line).toMatch(says)
    if (at !== '' && !at.includes('\n') && at !== 'agentType') expect(line).toContain(`${await placeOf(file, at)}: `)
    expect(line).toMatch(/^\S+\.yaml:\d+:\d+: /)
  })

  it('CLI15 prints problems for scripts', async () => {
    await plant('startup-xyz/00-tenant.yaml', 'plan: starter', 'plan: none')
    const { code, out } = await runLine(['validate', folder, '-o', 'json'])
    expect(code).toBe(1)
    expect(JSON.parse(out)).toMatchObject({
      valid: false,
      problems: expect.arrayContaining([
        expect.objectContaining({
          file: join(folder, 'startup-xyz/00-tenant.yaml'),
          path: 'spec.plan',
          line: 8,
          column: 9,
        }),
      ]),
    })
  })

  it('CLI15 checks personas, and documentation is none', async () => {
    const { path, remove } = await folderWith({
      'README.md': '# Nothing here\n',
      'notes.md': 'just notes\n',
      'poet.md':
        '---\nname: poet\ndescription: Writes verse for launches.\neffort: hihg\nmayHandOffTo: [editr]\n---\n# Poet\nYou write verse that people remember.\n',
    })
    const { code, err } = await runLine(['validate', path])
    await remove()
    expect(code).toBe(1)
    expect(err).toContain(`${join(path, 'poet.md')}:4:9: effort: `)
  })

  it('CLI15 says what it could not check without the tenant', async () => {
    const { code, err, out } = await runLine(['validate', join(EXAMPLES, 'acme-corp/project-q1-launch.yaml')])
    expect([code, out]).toEqual([0, 'Valid: 1 object\n'])
    expect(err).toBe('Note: tenant "acme-corp" is not among the files: what it allows was not checked\n')
  })

  it('CLI15 says that a path is not there, or that a folder holds nothing', async () => {
    const none = await runLine(['validate', join(folder, 'nowhere')])
    expect([none.code, none.err]).toEqual([1, expect.stringContaining('Cannot find "')])
    const { path, remove } = await folderWith({ 'a.txt': '' })
    const empty = await runLine(['validate', path])
    await remove()
    expect([empty.code, empty.err]).toEqual([1, expect.stringContaining('Find no *.yaml')])
  })
})

type Planned = {
  readonly machines: readonly {
    readonly sprite: string
    readonly action: string
    readonly position?: number
    readonly why: string
  }[]
  readonly objects: readonly { readonly kind: string; readonly name: string; readonly action: string }[]
}

describe('plan', () => {
  it('CLI16 says what an empty control plane would do with examples/', async () => {
    const { code, out } = await runLine(['plan', EXAMPLES, '--offline', '-o', 'json'])
    expect(code).toBe(0)
    const { machines, objects } = JSON.parse(out) as Planned
    expect(machines.map(({ sprite, action, position }) => [sprite, action, position])).toEqual([
      ['q1-launch-copywriter', 'none', undefined],
      ['q1-launch-director', 'create', undefined],
      ['q1-launch-editor', 'none', undefined],
      ['q1-launch-strategist', 'none', undefined],
      ['blog-copywriter', 'create', undefined],
      ['blog-editor', 'create', undefined],
      ['blog-social', 'queue', 1],
    ])
    expect(machines.at(-1)?.why).toBe('2 of 2 slots are taken (blog-copywriter, blog-editor)')
    expect(objects.map(({ kind, name }) => `${kind}/${name}`)).toEqual([
      'Sprite/q1-launch-director',
      'Sprite/q1-launch-strategist',
      'Sprite/q1-launch-copywriter',
      'Sprite/q1-launch-editor',
      'Work/q1-launch-kickoff',
    ])
  })

  it('CLI16 lays files over what runs: replaces on drift, stops what is not wanted, writes nothing', async () => {
    const world = await cliWorld()
    try {
      await world.put(tenantOf('acme', { limits: GROWTH_LIMITS }))
      await world.put(namespaceOf('acme'))
      const yaml = (name: string, more: string): string =>
        `apiVersion: sprites.highera.com/v1alpha1\nkind: Sprite\nmetadata: {name: ${name}, namespace: acme}\nspec: {agentType: copywriter, ${more}}\n---\n`
      const names = ['drifts', 'stops', 'stays', 'wakes']
      await world.run(['apply', '-f', '-'], { stdin: names.map((name) => yaml(name, 'runPolicy: Always')).join('') })
      for (const name of names) {
        const machine = {
          name: `${name}-1`,
          id: name,
          incarnation: 1,
          specHash: 'x',
          since: '2026-01-15T12:00:00Z',
          readyTime: '2026-01-15T12:00:00Z',
          intent: name === 'wakes' ? 'Stop' : 'Run',
        }
        await world.client.patchStatus(spriteKind, { namespace: 'acme', name }, { phase: 'Idle', machine })
      }
      const before = await world.revision()
      const stdin = [
        yaml('drifts', 'runPolicy: Always, image: "new:2"'),
        yaml('stops', 'runPolicy: Stopped'),
        yaml('stays', 'runPolicy: Always'),
        yaml('comes', 'runPolicy: Always'),
      ].join('')
      const { code, out, err } = await world.run(['plan', '-', '-o', 'json'], { stdin })
      expect([code, err]).toEqual([0, ''])
      const { machines } = JSON.parse(out) as Planned
      expect(machines.map(({ sprite, action, why }) => [sprite, action, why])).toEqual([
        ['comes', 'create', 'spec.runPolicy is Always'],
        ['drifts', 'replace', 'image changed'],
        ['stays', 'none', 'it runs as declared'],
        ['stops', 'stop', 'spec.runPolicy is Stopped'],
        ['wakes', 'start', 'spec.runPolicy is Always'],
      ])
      const text = await world.run(['plan', '-'], { stdin })
      expect(text.out).toContain('3 objects and 4 machines would change, 0 sprites would wait, 1 would stay')
      expect(await world.revision()).toBe(before)
    } finally {
      await world.close()
    }
  })

  it('CLI16 plans nothing of bad files', async () => {
    await plant('startup-xyz/00-tenant.yaml', 'plan: starter', 'plan: none')
    const { code, out, err } = await runLine(['plan', folder, '--offline'])
    expect([code, out]).toEqual([1, ''])
    expect(err).toContain('Nothing to plan: ')
  })
})
