/** The bundles work as the images run them, and the Dockerfile copies only what is there. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { measureSpriteStart } from '../bench/sprite-start.ts'
import { startFakeCoordinator } from '../sprite/fake/coordinator.ts'
import { createFakeMessages } from '../sprite/fake/messages.ts'
import { fakeTask } from '../sprite/fake/task.ts'
import { NODE_FLAGS, SPRITE_BUNDLE, buildController, buildSprite, checkController, checkSprite } from './build.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const hasController = existsSync(join(ROOT, 'controller/cli/main.ts'))

let dist = ''
beforeAll(async () => {
  dist = await mkdtemp(join(tmpdir(), 'dist-'))
  await buildSprite(join(dist, 'sprite'))
  if (hasController) await buildController(join(dist, 'controller'))
})
afterAll(() => rm(dist, { recursive: true, force: true }))

describe('the sprite’s bundle', () => {
  it('BD1 starts, and refuses an empty environment', () => checkSprite(join(dist, 'sprite')))

  it('BD2 does a task under the image’s flags, with nothing beside it', async () => {
    const messages = createFakeMessages([
      {
        blocks: [{ type: 'tool_use', name: 'deliver', input: { name: 'email', content: '# Hello' } }],
        stopReason: 'tool_use',
      },
      { blocks: [{ type: 'text', text: 'Done.' }], stopReason: 'end_turn' },
    ])
    const coordinator = await startFakeCoordinator(messages)
    coordinator.tasks.push(fakeTask())
    coordinator.terms = { idleTimeoutMs: 50 }
    const child = spawn(process.execPath, [...NODE_FLAGS, join(dist, 'sprite', SPRITE_BUNDLE)], {
      env: {
        SPRITE_COORDINATOR_URL: coordinator.url,
        SPRITE_TENANT: 'acme-corp',
        SPRITE_NAME: 'copywriter-1',
        SPRITE_UID: 'uid',
        SPRITE_INCARNATION: '1',
        SPRITE_TOKEN: 'sprite-token-of-a-test-0123456789',
      },
      stdio: 'ignore',
    })
    const [code] = (await once(child, 'close')) as [number]
    await coordinator.close()
    expect(code).toBe(0)
    expect(coordinator.seen.completed).toMatchObject([{ deliverables: [{ name: 'email' }] }])
  })

  it('BD3 starts within 300 ms, or ten bare starts of a busy machine, in 1.5 times its memory', async () => {
    const entry = join(dist, 'sprite', SPRITE_BUNDLE)
    const start = await measureSpriteStart({ entry, rounds: 3, nodeArguments: NODE_FLAGS })
    expect(start.spawnToReadyMs).toBeLessThan(Math.max(300, 10 * start.bareNodeMs))
    expect(start.rssMb).toBeLessThan(1.5 * start.bareRssMb)
  })
})

describe.skipIf(!hasController)('the controller’s bundle', () => {
  it('BD4 starts and prints its help', () => checkController(join(dist, 'controller')))
})

describe('Dockerfile', () => {
  it('BD5 every COPY has its source: in the repository and sent to the builder, or built', async () => {
    const dockerfile = await readFile(join(ROOT, 'Dockerfile'), 'utf8')
    const ignore = await readFile(join(ROOT, '.dockerignore'), 'utf8')
    const sent = ignore.split('\n').flatMap((line) => /^!([^/*]+)/.exec(line)?.[1] ?? [])
    const copies = dockerfile.split('\n').filter((line) => line.startsWith('COPY '))
    expect(copies.length).toBeGreaterThan(5)
    for (const copy of copies) {
      const words = copy.split(/\s+/).slice(1)
      const sources = words.filter((word) => !word.startsWith('--')).slice(0, -1)
      for (const source of sources) {
        const built = /^\/src\/dist\/(.+)$/.exec(source)?.[1]
        if (built === 'controller' && !hasController) continue
        if (built !== undefined) expect(existsSync(join(dist, built)), copy).toBe(true)
        else if (words[0] === '--from=build') expect(dockerfile).toContain(`mkdir ${source}`)
        else {
          expect(existsSync(join(ROOT, source)), copy).toBe(true)
          expect(sent, copy).toContain(source.replace(/^\.\//, '').split('/')[0])
        }
      }
    }
  })

  it('BD6 runs as a numeric user that is not root, and hands signals to Node itself', async () => {
    const dockerfile = await readFile(join(ROOT, 'Dockerfile'), 'utf8')
    const user = /^USER (\d+):(\d+)$/m.exec(dockerfile)
    expect(Number(user?.[1])).toBeGreaterThan(0)
    for (const line of dockerfile.split('\n').filter((line) => line.startsWith('ENTRYPOINT')))
      expect(line).toMatch(/^ENTRYPOINT \["\/nodejs\/bin\/node", "--disable-proto=delete"/)
  })
})
