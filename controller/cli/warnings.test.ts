/** Tests that spritectl prints what the server says of a write, as kubectl does. */
import { afterEach, describe, expect, it } from 'vitest'
import { RESOURCES } from '../kinds/index.ts'
import { CORE_RESOURCES } from '../registry/core.ts'
import { createRegistry } from '../registry/create-registry.ts'
import { createMemoryStore } from '../store/memory.ts'
import { seededEntropy } from '../../system/entropy.ts'
import { TestClock } from '../../system/test-clock.ts'
import { warningsIn } from './api/warnings.ts'
import { cliWorld, type CliWorld } from './testing.ts'

let world: CliWorld | undefined

afterEach(() => world?.close())

/** A server that foretells the same of every write. */
const talkative = (): Promise<CliWorld> =>
  cliWorld({
    registry: createRegistry({
      store: createMemoryStore(),
      resources: [...CORE_RESOURCES, ...RESOURCES],
      clock: new TestClock(),
      entropy: seededEntropy(1),
      builtinAgentTypes: new Set(),
      forecast: ({ operation, object }) => [`${operation} of "${object.metadata.name}" → ünïcode`],
    }),
  })

const PLAN =
  'apiVersion: sprites.highera.com/v1alpha1\nkind: Plan\nmetadata: {name: own}\nspec:\n  concurrentSprites: 1\n  agentTypes: 5\n  monthlyTokens: 1000\n  spriteIdleTimeoutSeconds: 60\n'

describe('warnings', () => {
  it('CLI50 apply, its dry run and delete print them; what writes nothing prints none', async () => {
    world = await talkative()
    const apply = ['apply', '-f', '-']
    const line = (operation: string): string => `Warning: ${operation} of "own" → ünïcode\n`
    expect((await world.run([...apply, '--dry-run', 'server'], { stdin: PLAN })).err).toBe(line('CREATE'))
    expect((await world.run(apply, { stdin: PLAN })).err).toBe(line('CREATE'))
    const again = await world.run(apply, { stdin: PLAN })
    expect([again.code, again.err]).toEqual([0, ''])
    expect((await world.run(['delete', 'plan', 'own', '--wait=false'])).err).toBe(line('DELETE'))
  })

  it('CLI50 reads quoted texts, and leaves out what is malformed', () => {
    expect(warningsIn(['299 - "a \\"b\\" \\\\ c"', 'nonsense', '199 - "other"', '299 - "d" "date"'])).toEqual([
      'a "b" \\ c',
      'd',
    ])
  })
})
