/** Tests of what is refused before Fly is asked, and of images that are recorded as what they were. */
import { describe, expect, it } from 'vitest'
import { silentLog } from '../../../system/log.ts'
import type { MachineSpec } from '../machines.ts'
import { machineSchema, toMachine } from './replies.ts'
import { isPinned, specFaults } from './spec-check.ts'
import { api, APP, flyMachine, MACHINES, onlyNock, provider, SPEC } from './wire-fixture.ts'

onlyNock()

const guest = (cpuKind: 'shared' | 'performance', cpus: number, memoryMb: number): Partial<MachineSpec> => ({
  guest: { cpuKind, cpus, memoryMb },
})

describe('specs', () => {
  it.each<Partial<MachineSpec>>([
    {},
    guest('shared', 8, 16_384),
    guest('performance', 2, 4_096),
    { env: { SPRITE_TOKEN: 'x'.repeat(40), SPRITE_UID: 'u' } },
    { stopTimeoutSeconds: 300 },
  ])('FA10 %j may be sent', (change) => {
    expect(specFaults({ ...SPEC, ...change })).toEqual([])
  })

  it.each<[Partial<MachineSpec>, string]>([
    [guest('shared', 3, 512), '3 shared CPUs are not sold'],
    [guest('shared', 1, 4_096), '256 to 2048 MiB in steps of 256'],
    [guest('shared', 1, 300), '300 MiB do not go with'],
    [guest('performance', 1, 1_024), '2048 to 8192 MiB in steps of 1024'],
    [{ env: { ANTHROPIC_API_KEY: 'x' } }, 'env "ANTHROPIC_API_KEY" looks like a secret'],
    [{ env: { NOTE: 'sk-ant-abc' } }, 'env "NOTE" looks like a secret'],
    [{ env: { DB_PASSWORD: 'x' } }, 'env "DB_PASSWORD"'],
    [{ name: 'Writer_1' }, 'name is "Writer_1"'],
    [{ regions: [] }, 'no region'],
    [{ image: ' ' }, 'no image'],
    [{ stopTimeoutSeconds: 301 }, '1 to 300 s'],
  ])('FA10 %j is refused, without a word of a value', async (change, fault) => {
    expect(specFaults({ ...SPEC, ...change }).join()).toContain(fault)
    expect(specFaults({ ...SPEC, ...change }).join()).not.toContain('sk-ant')
    // Nothing is sent for it, not even for its app.
    await expect(provider().create({ ...SPEC, ...change })).rejects.toMatchObject({ reason: 'InvalidSpec' })
  })

  it('FA11 a tag is recorded with the digest that it had', () => {
    const digest = `sha256:${'a'.repeat(64)}`
    const imageOf = (image: string, ref: object): string | undefined =>
      toMachine(machineSchema.parse({ id: '1', name: 'n', config: { image }, ...ref }), {
        app: 'a',
        controlPlaneId: 'c',
      }).image
    expect(imageOf('r/s:1', { image_ref: { repository: 's', tag: '1', digest } })).toBe(`r/s:1@${digest}`)
    expect(imageOf(`r/s:1@${digest}`, { image_ref: { digest } })).toBe(`r/s:1@${digest}`)
    expect(imageOf('r/s:1', {})).toBe('r/s:1')
    expect(imageOf('r/s:1', { image_ref: { digest: 'junk' } })).toBe('r/s:1')
    expect([isPinned(`r/s:1@${digest}`), isPinned('r/s:1'), isPinned('r/s@sha256:1')]).toEqual([true, false, false])
  })

  it('FA11 an image that is not pinned is warned of, once', async () => {
    const warnings: string[] = []
    const log = { ...silentLog, warn: (_fields: unknown, text?: string) => void warnings.push(text ?? '') }
    api().get('/v1/apps/highera-acme').reply(200, APP)
    api().post(MACHINES).twice().reply(200, flyMachine())
    const fly = provider({ log })
    await fly.create(SPEC)
    await fly.create(SPEC)
    expect(warnings).toEqual([expect.stringContaining('not pinned')])
  })
})
