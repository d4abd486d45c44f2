/** A tenant with more work than machines, and what must hold when all of it is over: for tests that break things. */
import { expect } from 'vitest'
import { isTerminal, type Work } from '../../controller/kinds/work/schema.ts'

const GROUP = '/apis/sprites.highera.com/v1alpha1'

/** Machines that the tenant's plan lets run. */
export const LIMIT = 2
/** Tasks that are asked for, where no other number is; each is handed on to an editor. */
const TASKS = 12

/** Where a workload is declared and read. */
export type Api = {
  readonly post: (path: string, body: object) => Promise<void>
  readonly list: <T>(plural: string) => Promise<readonly T[]>
}

const object = (kind: string, name: string, spec: object, namespace?: string): object => ({
  apiVersion: 'sprites.highera.com/v1alpha1',
  kind,
  metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
  spec,
})

/** A starter tenant (two machines) with three sprites and some tasks. */
export async function fill(it: Api, tenant = 'startup', tasks = TASKS): Promise<void> {
  await it.post(`${GROUP}/tenants`, object('Tenant', tenant, { displayName: 'Startup', plan: 'starter' }))
  for (const [name, agentType] of [
    ['c1', 'copywriter'],
    ['c2', 'copywriter'],
    ['e1', 'editor'],
  ] as const)
    await it.post(`${GROUP}/namespaces/${tenant}/sprites`, object('Sprite', name, { agentType }, tenant))
  for (let task = 0; task < tasks; task++) {
    const spec = {
      type: 'write_copy',
      agentType: 'copywriter',
      description: `Write variant ${task} of the announcement`,
    }
    await it.post(`${GROUP}/namespaces/${tenant}/work`, object('Work', `task-${task}`, spec, tenant))
  }
}

/** How many are completed. */
export const completed = (work: readonly Work[]): number =>
  work.filter((one) => one.status?.phase === 'Completed').length

/** Whether all asked-for work is terminal, and what was handed on has become work. */
export const isOver = (work: readonly Work[], asked = TASKS): boolean =>
  work.length >= asked &&
  work.every(
    (one) =>
      isTerminal(one.status?.phase) &&
      (one.status?.handOffs ?? []).every((handOff) => handOff.created === true || handOff.refused !== undefined),
  )

/** Nothing lost, nothing twice: every work completed by one attempt, every hand-off one work. */
export async function judgeWork(it: Api): Promise<void> {
  const work = await it.list<Work>('work')
  const bad = work.filter((one) => one.status?.phase !== 'Completed')
  expect(bad.map((one) => `${one.metadata.name}: ${JSON.stringify(one.status?.attempts)}`)).toEqual([])
  for (const one of work) {
    const done = (one.status?.attempts ?? []).filter((attempt) => attempt.outcome === 'Completed')
    expect(done, `${one.metadata.name} completed once`).toHaveLength(1)
  }
  const children = work.filter((one) => one.spec.parent !== undefined)
  const handOffs = work.flatMap((one) =>
    (one.status?.handOffs ?? []).filter((handOff) => handOff.refused === undefined),
  )
  expect(children.map((one) => one.metadata.name).sort()).toEqual(handOffs.map((handOff) => handOff.work).sort())
}
