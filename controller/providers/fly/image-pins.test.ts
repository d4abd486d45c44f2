/** Images by tag: resolved once, kept, learnt from the first machine, resolved anew when the digest is refused. */
import { describe, expect, it } from 'vitest'
import { silentLog } from '../../../system/log.ts'
import { seededEntropy } from '../../../system/entropy.ts'
import { TestClock } from '../../../system/test-clock.ts'
import { specFor } from '../contract.ts'
import { createFakeMachines } from '../fake/fake-machines.ts'
import { ProviderError, type CallOptions, type MachineSpec } from '../machines.ts'
import { createImagePins, pinning } from './image-pins.ts'

const TAG = 'registry.example/sprite:1'
const digest = (digit: string): string => `sha256:${digit.repeat(64)}`

function given(answers: (string | undefined)[] = []) {
  const clock = new TestClock()
  const kept = new Map<string, string>()
  const asked: string[] = []
  const store = {
    read: (image: string) => Promise.resolve(kept.get(image)),
    write: (image: string, pin: string) => Promise.resolve(void kept.set(image, pin)),
    remove: (image: string) => Promise.resolve(void kept.delete(image)),
  }
  const gone = new Set<string>()
  const look = async (image: string) => {
    asked.push(image)
    await clock.advance(1_500)
    if (image.includes('@')) return { isMissing: gone.has(image) }
    return { digest: answers.length > 1 ? answers.shift() : answers[0], isMissing: false }
  }
  const open = () => createImagePins({ store, look, clock, log: silentLog })
  return { clock, kept, asked, gone, open, pins: open() }
}

describe('images by tag', () => {
  it('FW25 are resolved once, and the digest holds over starts although the tag moves', async () => {
    const { pins, kept, asked, open } = given([digest('a'), digest('b')])
    expect(await Promise.all([pins.of(TAG), pins.of(TAG)])).toEqual([`${TAG}@${digest('a')}`, `${TAG}@${digest('a')}`])
    expect(await open().of(TAG)).toBe(`${TAG}@${digest('a')}`)
    expect([asked, kept.get(TAG)]).toEqual([[TAG], `${TAG}@${digest('a')}`])
  })

  it('FW25 that are pinned already are left as they are, and nobody is asked', async () => {
    const { pins, asked } = given([digest('a')])
    expect(await pins.of(`${TAG}@${digest('c')}`)).toBe(`${TAG}@${digest('c')}`)
    await pins.made(`${TAG}@${digest('c')}`, `${TAG}@${digest('c')}`)
    expect(asked).toEqual([])
  })

  it('FW26 of a silent registry go by tag, and take the digest that the first machine has', async () => {
    const { pins, kept, asked, clock } = given([undefined])
    expect(await pins.of(TAG)).toBe(TAG)
    expect(await pins.of(TAG)).toBe(TAG)
    expect(asked).toHaveLength(1)
    await clock.advance(600_000)
    expect(await pins.of(TAG)).toBe(TAG)
    expect(asked).toHaveLength(2)
    await pins.made(TAG, `other/image:1@${digest('a')}`)
    await pins.made(TAG, undefined)
    expect(kept.size).toBe(0)
    await pins.made(TAG, `${TAG}@${digest('a')}`)
    // What a later machine says changes nothing.
    await pins.made(TAG, `${TAG}@${digest('b')}`)
    expect([await pins.of(TAG), kept.get(TAG)]).toEqual([`${TAG}@${digest('a')}`, `${TAG}@${digest('a')}`])
  })

  it('FW26 whose answer is no digest go by tag', async () => {
    expect(await given(['latest']).pins.of(TAG)).toBe(TAG)
  })

  it('FW27 machines are made from the pin, within what is left of the call’s time; one that is gone is resolved anew', async () => {
    const { pins, clock, asked, kept, gone } = given([digest('a'), digest('b')])
    const fake = createFakeMachines({ clock, entropy: seededEntropy(1) })
    const sent: [string, number | undefined][] = []
    let failure: ProviderError | undefined
    const inner = {
      list: fake.list.bind(fake),
      get: fake.get.bind(fake),
      start: fake.start.bind(fake),
      stop: fake.stop.bind(fake),
      destroy: fake.destroy.bind(fake),
      removeTenant: fake.removeTenant.bind(fake),
      create: async (spec: MachineSpec, signal?: AbortSignal, how?: CallOptions) => {
        sent.push([spec.image, how?.deadlineMs])
        if (failure !== undefined) throw failure
        return await fake.create(spec, signal)
      },
    }
    const provider = pinning(inner, pins, clock)
    const spec = specFor('acme', 'writer', { controlPlane: 'cp' })
    const made = await provider.create(spec, undefined, { deadlineMs: 5_000 })
    expect([made.image, sent]).toEqual([`${TAG}@${digest('a')}`, [[`${TAG}@${digest('a')}`, 3_500]]])
    expect((await provider.list('acme')).machines).toHaveLength(1)
    const refusedWith = async (reason: 'NoCapacity' | 'InvalidSpec'): Promise<readonly string[]> => {
      failure = new ProviderError(reason, 'no')
      await expect(provider.create(specFor('acme', 'other', { controlPlane: 'cp' }))).rejects.toBe(failure)
      return [...kept.keys()]
    }
    // A guest that cannot be, for example.
    expect([await refusedWith('NoCapacity'), await refusedWith('InvalidSpec')]).toEqual([[TAG], [TAG]])
    gone.add(`${TAG}@${digest('a')}`)
    expect(await refusedWith('InvalidSpec')).toEqual([])
    failure = undefined
    await provider.create(specFor('acme', 'other', { controlPlane: 'cp' }))
    expect([sent.at(-1)?.[0], asked.filter((image) => image === TAG)]).toEqual([`${TAG}@${digest('b')}`, [TAG, TAG]])
  })
})
