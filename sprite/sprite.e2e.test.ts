/** The real process of a sprite against a fake Coordinator: every way to live and every way to exit. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { SPRITE_EXIT } from '../protocol/boot.ts'
import { startFakeCoordinator, type FakeCoordinator } from './fake/coordinator.ts'
import { createFakeMessages, type FakeAnswer } from './fake/messages.ts'
import { fakeTask } from './fake/task.ts'

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url))
const TOKEN = 'sprite-token-of-a-test-0123456789'

type Run = {
  readonly child: ChildProcess
  readonly exited: Promise<number | null>
  output(): string
}

const open: { children: ChildProcess[]; coordinators: FakeCoordinator[] } = { children: [], coordinators: [] }

afterEach(async () => {
  for (const child of open.children) if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
  for (const coordinator of open.coordinators) await coordinator.close()
  open.children = []
  open.coordinators = []
})

async function coordinatorWith(script: readonly FakeAnswer[]): Promise<FakeCoordinator> {
  const coordinator = await startFakeCoordinator(createFakeMessages(script))
  open.coordinators.push(coordinator)
  return coordinator
}

function spawnSprite(url: string, env: Readonly<Record<string, string>> = {}): Run {
  const child = spawn(process.execPath, [MAIN], {
    env: {
      SPRITE_COORDINATOR_URL: url,
      SPRITE_TENANT: 'acme-corp',
      SPRITE_NAME: 'copywriter-1',
      SPRITE_UID: '0b0e7a52-5f36-4b8e-9a43-000000000001',
      SPRITE_INCARNATION: '1',
      SPRITE_TOKEN: TOKEN,
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  open.children.push(child)
  let output = ''
  const keep = (chunk: Buffer): void => {
    output += chunk.toString('utf8')
  }
  child.stdout?.on('data', keep)
  child.stderr?.on('data', keep)
  // 'close' comes after the last output; its first argument is the exit code.
  const exited = once(child, 'close').then(([code]) => code as number | null)
  return { child, exited, output: () => output }
}

const deliverThenEnd: readonly FakeAnswer[] = [
  {
    blocks: [
      { type: 'tool_use', name: 'deliver', input: { name: 'launch-email', content: '# Hello' } },
      {
        type: 'tool_use',
        name: 'hand_off',
        input: { agentType: 'editor', type: 'edit_copy', description: 'Edit the launch email' },
      },
    ],
    stopReason: 'tool_use',
  },
  { blocks: [{ type: 'text', text: 'Wrote the launch email.' }], stopReason: 'end_turn' },
]

describe('a sprite’s process', () => {
  it('SP1 announces, claims, delivers, completes, claims the next by a hint, and drains on SIGTERM with exit 0', async () => {
    const coordinator = await coordinatorWith(deliverThenEnd)
    coordinator.tasks.push(fakeTask({ attempt: 3 }))
    const sprite = spawnSprite(coordinator.url, {
      ANTHROPIC_API_KEY: 'sk-ant-must-not-be-used',
      ANTHROPIC_LOG: 'debug',
    })
    await coordinator.until(() => coordinator.seen.completed.length === 1)
    const [completed] = coordinator.seen.completed
    expect(completed).toMatchObject({ work: 'write-launch-email', attempt: 3, summary: 'Wrote the launch email.' })
    expect(completed?.deliverables).toEqual([{ name: 'launch-email', mediaType: 'text/markdown', content: '# Hello' }])
    expect(completed?.handOffs).toMatchObject([{ agentType: 'editor' }])
    coordinator.tasks.push(fakeTask({ work: 'second' }))
    coordinator.tell({ type: 'work_available' })
    await coordinator.until(() => coordinator.seen.completed.length === 2)
    expect(coordinator.seen.authorizations).toEqual(new Set([`Bearer ${TOKEN}`]))
    sprite.child.kill('SIGTERM')
    expect(await sprite.exited).toBe(SPRITE_EXIT.done)
    const output = sprite.output()
    for (const secret of [TOKEN, 'sk-ant', '# Hello', 'Warm and plain', 'You write copy'])
      expect(output).not.toContain(secret)
    for (const line of output.trim().split('\n')) expect(() => JSON.parse(line) as unknown).not.toThrow()
  })

  it('SP2 finishes the task in hand before it exits', async () => {
    const coordinator = await coordinatorWith(deliverThenEnd)
    coordinator.tasks.push(fakeTask())
    const sprite = spawnSprite(coordinator.url)
    await coordinator.until(() => coordinator.seen.paths.includes('/gateway/v1/messages'))
    sprite.child.kill('SIGTERM')
    expect(await sprite.exited).toBe(SPRITE_EXIT.done)
    expect(coordinator.seen.completed).toHaveLength(1)
  })

  it('SP3 gives the task back when it cannot finish within the stop timeout', async () => {
    const coordinator = await coordinatorWith([{ hang: true }])
    coordinator.tasks.push(fakeTask())
    const sprite = spawnSprite(coordinator.url, { SPRITE_STOP_TIMEOUT_MS: '3000' })
    await coordinator.until(() => coordinator.seen.paths.includes('/gateway/v1/messages'))
    sprite.child.kill('SIGTERM')
    expect(await sprite.exited).toBe(SPRITE_EXIT.done)
    expect(coordinator.seen.failed).toMatchObject([{ reason: 'Drained', retryable: true, attempt: 1 }])
  })

  it('SP4 exits 3 when it is fenced', async () => {
    const coordinator = await coordinatorWith([])
    coordinator.faults.set('/sprite/v1/heartbeat', [409])
    const sprite = spawnSprite(coordinator.url)
    expect(await sprite.exited).toBe(SPRITE_EXIT.fenced)
  })

  it('SP5 exits 0 when it is idle for too long', async () => {
    const coordinator = await coordinatorWith([])
    coordinator.terms = { idleTimeoutMs: 100 }
    const sprite = spawnSprite(coordinator.url)
    expect(await sprite.exited).toBe(SPRITE_EXIT.done)
  })

  it('SP6 exits 4 when the Coordinator is lost', async () => {
    const coordinator = await coordinatorWith([])
    coordinator.terms = { lostAfterMs: 300 }
    const sprite = spawnSprite(coordinator.url)
    await coordinator.until(() => coordinator.seen.heartbeats.length > 0)
    await coordinator.close()
    expect(await sprite.exited).toBe(SPRITE_EXIT.coordinatorLost)
  })

  it('SP7 exits 5 past its hard deadline', async () => {
    const coordinator = await coordinatorWith([])
    const sprite = spawnSprite(coordinator.url, { SPRITE_DEADLINE_MS: '1000' })
    expect(await sprite.exited).toBe(SPRITE_EXIT.deadline)
  })

  it('SP8 says in one line what its environment lacks and exits 2', async () => {
    const sprite = spawnSprite('http://127.0.0.1:9', { SPRITE_TOKEN: 'short' })
    expect(await sprite.exited).toBe(SPRITE_EXIT.badBoot)
    expect(sprite.output().trim().split('\n')).toHaveLength(1)
    expect(sprite.output()).toContain('SPRITE_TOKEN')
    expect(sprite.output()).not.toContain('short')
  })
})
