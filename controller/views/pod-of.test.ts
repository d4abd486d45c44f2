/** A sprite's machine as a pod: phases, readiness, restarts, exits, and what never changes. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MACHINE_STATES } from '../providers/machines.ts'
import { tableRenderer } from '../server/table.ts'
import type { Sprite, SpriteMachine, SpriteStatus } from '../kinds/sprite/schema.ts'
import { podOf } from './pod-of.ts'
import { podResource } from './pod-resource.ts'

const NOW = '2026-01-15T12:00:00Z'
const MACHINE: SpriteMachine = {
  name: 'writer-aaaaaaaa-3',
  id: 'm3',
  region: 'fra',
  state: 'started',
  incarnation: 3,
  image: 'sprite:1',
  specHash: 'x',
  since: '2026-01-15T11:00:00Z',
  readyTime: '2026-01-15T11:00:05Z',
  intent: 'Run',
}
const spriteOf = (status?: SpriteStatus, metadata: object = {}): Sprite => ({
  apiVersion: 'sprites.highera.com/v1alpha1',
  kind: 'Sprite',
  metadata: {
    name: 'writer',
    namespace: 'acme',
    uid: '11111111-1111-4111-8111-111111111111',
    resourceVersion: '42',
    generation: 1,
    creationTimestamp: '2026-01-15T10:00:00Z',
    ...metadata,
  },
  spec: { agentType: 'copywriter', runPolicy: 'OnDemand' },
  ...(status === undefined ? {} : { status }),
})
const withMachine = (part: Partial<SpriteMachine> = {}, status: Partial<SpriteStatus> = {}) =>
  podOf(spriteOf({ incarnation: 3, lastMachineId: 'm3', machine: { ...MACHINE, ...part }, ...status }))
/** NAME READY STATUS RESTARTS, as kubectl prints them. */
const rowOf = (pod: ReturnType<typeof podOf>): string => {
  const table = tableRenderer(podResource).table(
    pod === undefined ? [] : [pod],
    {},
    { version: 'v1', includeObject: 'None', nowMs: Date.parse(NOW) },
  )
  const { rows } = table as { rows: readonly { cells: readonly unknown[] }[] }
  return rows[0]?.cells.slice(0, 4).join(' ') ?? ''
}

describe('pod of a sprite', () => {
  it('VW20 a sprite that never had a machine has no pod', () => {
    expect(podOf(spriteOf())).toBeUndefined()
    expect(podOf(spriteOf({ phase: 'Queued', incarnation: 0 }))).toBeUndefined()
  })

  it('VW20 a running, reported machine is a ready pod in its region, owned by its sprite', () => {
    const pod = withMachine()
    expect(rowOf(pod)).toBe('writer 1/1 Running 2')
    expect(pod).toMatchObject({
      metadata: {
        name: 'writer',
        namespace: 'acme',
        resourceVersion: '42',
        labels: { 'app.kubernetes.io/name': 'sprite', 'app.kubernetes.io/component': 'copywriter' },
        ownerReferences: [{ kind: 'Sprite', name: 'writer', uid: spriteOf().metadata.uid, controller: true }],
      },
      spec: { containers: [{ name: 'sprite', image: 'sprite:1' }], nodeName: 'fra', restartPolicy: 'Always' },
      status: {
        phase: 'Running',
        containerStatuses: [{ ready: true, started: true, state: { running: { startedAt: MACHINE.readyTime } } }],
      },
    })
    expect(pod?.status?.conditions.map(({ type, status }) => `${type}=${status}`)).toEqual([
      'PodScheduled=True',
      'Initialized=True',
      'ContainersReady=True',
      'Ready=True',
    ])
  })

  it.each([
    [
      'an intent without an answer',
      { id: undefined, state: undefined, readyTime: undefined, intent: 'Create' },
      '0/1 ContainerCreating 2',
    ],
    ['a machine that starts', { state: 'starting', readyTime: undefined }, '0/1 ContainerCreating 2'],
    [
      'a stopped one that is to start',
      { state: 'stopped', readyTime: undefined, intent: 'Start' },
      '0/1 ContainerCreating 2',
    ],
    ['one that is up and has not reported', { readyTime: undefined }, '0/1 Running 2'],
    ['one that is being stopped', { intent: 'Stop', state: 'stopping' }, '0/1 Stopping 2'],
    ['one that is kept, stopped', { intent: 'Stop', state: 'stopped' }, '0/1 Completed 2'],
    ['one that could not start', { state: 'failed', readyTime: undefined }, '0/1 Error 2'],
  ] as const)('VW21 %s', (_title, part, row) => {
    const { id, state, readyTime, ...rest } = { ...MACHINE, ...part }
    const machine = { ...rest, ...(id && { id }), ...(state && { state }), ...(readyTime && { readyTime }) }
    expect(rowOf(podOf(spriteOf({ incarnation: 3, machine })))).toBe(`writer ${row}`)
  })

  it.each([
    ['by itself', { code: 0 }, 'Succeeded', 'Completed', 0],
    ['as asked, by a signal', { code: 137, requested: true }, 'Succeeded', 'Completed', 137],
    ['in a crash', { code: 1 }, 'Failed', 'Error', 1],
    ['untold', {}, 'Failed', 'Error', 255],
    ['out of memory', { oomKilled: true, requested: true }, 'Failed', 'OOMKilled', 137],
  ] as const)('VW22 a machine that is gone and ended %s', (_title, exit, phase, reason, exitCode) => {
    const lastExit = { incarnation: 3, time: NOW, ...exit }
    const pod = podOf(spriteOf({ incarnation: 3, lastMachineId: 'm3', lastExit }))
    expect(pod?.status).toMatchObject({
      phase,
      containerStatuses: [
        { ready: false, state: { terminated: { reason, exitCode, finishedAt: NOW, containerID: 'machine://m3' } } },
      ],
    })
    expect(pod?.status?.containerStatuses[0]?.lastState).toEqual({})
    expect(rowOf(pod)).toBe(`writer 0/1 ${reason} 2`)
  })

  it('VW22 a machine that is gone still has its image, and when it began', () => {
    const startTime = '2026-01-15T11:00:00Z'
    const createdTime = '2026-01-15T10:00:00Z'
    const lastExit = { incarnation: 3, time: NOW, code: 0, createdTime, startTime, image: 'sprites:7' }
    const pod = podOf(spriteOf({ incarnation: 3, lastMachineId: 'm3', lastExit }))
    expect(pod?.metadata.creationTimestamp).toBe(createdTime)
    expect(pod?.spec?.containers).toMatchObject([{ image: 'sprites:7' }])
    expect(pod?.status?.containerStatuses).toMatchObject([
      { image: 'sprites:7', state: { terminated: { startedAt: startTime, finishedAt: NOW } } },
    ])
  })

  it('VW22 how the machine before ended is the last state, and not this one’s', () => {
    const lastExit = { incarnation: 2, time: NOW, oomKilled: true }
    const now = withMachine({}, { lastExit })?.status?.containerStatuses[0]
    expect(now).toMatchObject({ state: { running: {} }, lastState: { terminated: { reason: 'OOMKilled' } } })
    expect(podOf(spriteOf({ incarnation: 3, lastMachineId: 'm3', lastExit }))?.status?.phase).toBe('Succeeded')
  })

  it('VW23 the uid stays with the incarnation and changes with it', () => {
    const uid = withMachine()?.metadata.uid
    expect(withMachine({ state: 'stopped', intent: 'Stop' })?.metadata.uid).toBe(uid)
    expect(podOf(spriteOf({ incarnation: 3, lastMachineId: 'm3' }))?.metadata.uid).toBe(uid)
    expect(withMachine({ incarnation: 4 })?.metadata.uid).not.toBe(uid)
    expect(uid).not.toBe(spriteOf().metadata.uid)
  })

  it('VW24 labels of the sprite win, its annotations stay with it, and its deletion shows', () => {
    const metadata = {
      labels: { 'app.kubernetes.io/part-of': 'site', tier: 'a' },
      annotations: { 'argocd.argoproj.io/tracking-id': 'x' },
      deletionTimestamp: NOW,
    }
    const pod = podOf(spriteOf({ machine: MACHINE }, metadata))
    expect(pod?.metadata.labels).toMatchObject({ tier: 'a', 'app.kubernetes.io/part-of': 'site' })
    expect(pod?.metadata.annotations).toEqual({ 'sprites.highera.com/machine': 'm3' })
    expect(rowOf(pod)).toBe('writer 1/1 Terminating 2')
  })

  it('VW21 phase, state, readiness and conditions agree whatever the machine is', () => {
    const machine = fc.record({
      state: fc.option(fc.constantFrom(...MACHINE_STATES), { nil: undefined }),
      intent: fc.constantFrom('Create', 'Start', 'Run', 'Stop', 'Destroy'),
      readyTime: fc.option(fc.constant(NOW), { nil: undefined }),
    })
    fc.assert(
      fc.property(
        machine,
        fc.option(fc.record({ code: fc.integer({ min: 0, max: 255 }) }), { nil: undefined }),
        (of, exit) => {
          const { state, readyTime, ...rest } = { ...MACHINE, ...of }
          const whole = {
            ...rest,
            ...(state === undefined ? {} : { state }),
            ...(readyTime === undefined ? {} : { readyTime }),
          } as SpriteMachine
          const lastExit = exit === undefined ? {} : { lastExit: { incarnation: 3, time: NOW, ...exit } }
          const status = podOf(spriteOf({ incarnation: 3, machine: whole, ...lastExit }))?.status
          const [container] = status?.containerStatuses ?? []
          expect(Object.keys(container?.state ?? {})).toHaveLength(1)
          const isRunning = 'running' in (container?.state ?? {})
          expect(status?.phase === 'Running').toBe(isRunning)
          expect(container?.ready === true && !isRunning).toBe(false)
          expect(status?.conditions.at(-1)?.status).toBe(container?.ready === true ? 'True' : 'False')
        },
      ),
    )
  })
})
