/** The contract of MachineProvider (MP1 to MP11) as a test suite; every adapter runs it. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Machine, MachineProvider, MachineRef, MachineSpec, MachineState, OwnerStamp } from './machines.ts'

/** What a suite needs of an adapter and of the world behind it. */
export type ProviderWorld = {
  readonly provider: MachineProvider
  /** Our control plane's id. */
  readonly controlPlaneId: string
  /** Lets time pass until the machine is in the state; throws when it does not get there. */
  reach(ref: MachineRef, state: MachineState | 'absent'): Promise<void>
  /** Puts a running machine of somebody else into the tenant's place; `owner` absent is without a stamp. Gives its id. */
  plant(tenant: string, options: { readonly name: string; readonly owner?: OwnerStamp }): Promise<string>
  /** The next call of this kind takes effect, but its reply is lost. */
  loseNextReply(call: 'create' | 'start' | 'stop' | 'destroy'): void
  /** The next call of this kind never gets a reply. */
  hangNext(call: 'get' | 'create'): void
  /** Lets the adapter's own deadline pass. */
  passDeadline(): Promise<void>
  /** The machine's true state, whatever the adapter says; undefined when it is gone. */
  truth(id: string): MachineState | undefined
  close(): Promise<void>
}

/** A spec that a real provider would take. */
export function specFor(
  tenant: string,
  sprite: string,
  options: { readonly incarnation?: number; readonly specHash?: string; readonly controlPlane: string },
): MachineSpec {
  const { incarnation = 1, specHash = 'hash1', controlPlane } = options
  return {
    name: `${sprite}-0a1b2c3d-${incarnation}`,
    owner: { controlPlane, tenant, sprite, spriteUid: '0a1b2c3d-0000-4000-8000-000000000000', incarnation, specHash },
    image: 'registry.example/sprite:1',
    guest: { cpuKind: 'shared', cpus: 1, memoryMb: 512 },
    regions: ['iad', 'ams'],
    env: { SPRITE_TENANT: tenant },
    autoDestroy: false,
    stopTimeoutSeconds: 5,
  }
}

/** Registers the suite for one adapter. */
export function providerContract(title: string, open: () => Promise<ProviderWorld>): void {
  describe(`MachineProvider contract: ${title}`, () => {
    let world: ProviderWorld
    beforeEach(async () => {
      world = await open()
    })
    afterEach(() => world.close())
    const given = (): ProviderWorld => world
    createRules(given)
    readRules(given)
    changeRules(given)
    ownershipRules(given)
  })
}

const spec = (world: ProviderWorld, sprite = 'writer', more: { specHash?: string } = {}): MachineSpec =>
  specFor('acme', sprite, { controlPlane: world.controlPlaneId, ...more })

const refOf = (machine: Machine): MachineRef => ({ tenant: 'acme', id: machine.id })

function createRules(given: () => ProviderWorld): void {
  it('MP1 create makes a machine with our stamp, and once more gives the same one', async () => {
    const { provider } = given()
    const asked = spec(given())
    const first = await provider.create(asked)
    expect(first).toMatchObject({ name: asked.name, owner: asked.owner, hostReachable: true })
    const second = await provider.create(asked)
    expect(second.id).toBe(first.id)
    expect((await provider.list('acme')).machines).toHaveLength(1)
  })

  it('MP1 a name with another stamp is NameConflict, and nothing changes', async () => {
    const { provider } = given()
    const first = await provider.create(spec(given()))
    const other = spec(given(), 'writer', { specHash: 'hash2' })
    await expect(provider.create(other)).rejects.toMatchObject({ name: 'ProviderError', reason: 'NameConflict' })
    expect((await provider.get(refOf(first)))?.owner?.specHash).toBe('hash1')
  })

  it('MP2 after a lost reply the same create gives the one machine', async () => {
    const { provider } = given()
    await provider.create(spec(given(), 'first'))
    given().loseNextReply('create')
    await expect(provider.create(spec(given()))).rejects.toMatchObject({ reason: 'OutcomeUnknown' })
    const machine = await provider.create(spec(given()))
    const { machines } = await provider.list('acme')
    expect(machines.filter((listed) => listed.name === machine.name).map((listed) => listed.id)).toEqual([machine.id])
  })
}

function readRules(given: () => ProviderWorld): void {
  it('MP3 get gives undefined only for what does not exist', async () => {
    const { provider } = given()
    expect(await provider.get({ tenant: 'acme', id: '0123456789abcd' })).toBeUndefined()
    const machine = await provider.create(spec(given()))
    expect(await provider.get(refOf(machine))).toMatchObject({ id: machine.id, name: machine.name })
    await given().reach(refOf(machine), 'started')
    await provider.destroy(refOf(machine))
    await given().reach(refOf(machine), 'absent')
    expect(await provider.get(refOf(machine))).toBeUndefined()
  })

  it('MP5 list gives one tenant’s machines; a tenant without any has an empty, complete list', async () => {
    const { provider, controlPlaneId } = given()
    expect(await provider.list('nobody')).toEqual({ machines: [], complete: true })
    await provider.create(spec(given()))
    await provider.create(specFor('other', 'editor', { controlPlane: controlPlaneId }))
    const listed = await provider.list('acme')
    expect(listed.complete).toBe(true)
    expect(listed.machines.map((machine) => machine.owner?.tenant)).toEqual(['acme'])
  })

  it('MP9 the fleet, where it is offered, has the machines of all tenants', async () => {
    const { provider, controlPlaneId } = given()
    const made = [
      await provider.create(spec(given())),
      await provider.create(specFor('other', 'editor', { controlPlane: controlPlaneId })),
    ]
    for (const machine of made) await given().reach({ tenant: machine.owner?.tenant ?? '', id: machine.id }, 'started')
    if (provider.listFleet === undefined) return
    const seen: string[] = []
    let cursor: string | undefined
    do {
      const page = await provider.listFleet(cursor === undefined ? {} : { cursor })
      expect(page.complete).toBe(true)
      seen.push(...page.rows.map(({ tenant, machine }) => `${tenant} ${machine.id} ${machine.owner?.tenant}`))
      cursor = page.next
    } while (cursor !== undefined && seen.length < 10)
    expect(seen.toSorted()).toEqual(made.map(({ owner, id }) => `${owner?.tenant} ${id} ${owner?.tenant}`).toSorted())
  })

  it('MP6 a call ends at its own deadline, and at its signal', async () => {
    const { provider } = given()
    const machine = await provider.create(spec(given()))
    given().hangNext('create')
    const late = expect(provider.create(spec(given(), 'late'))).rejects.toMatchObject({ reason: 'OutcomeUnknown' })
    await given().passDeadline()
    await late
    given().hangNext('get')
    const abort = new AbortController()
    const cut = expect(provider.get(refOf(machine), abort.signal)).rejects.toMatchObject({ reason: 'Unavailable' })
    setImmediate(() => abort.abort())
    await cut
  })
}

function changeRules(given: () => ProviderWorld): void {
  it('MP4 start and stop are idempotent, and do what they say', async () => {
    const { provider } = given()
    const machine = await provider.create(spec(given()))
    await given().reach(refOf(machine), 'started')
    await provider.start(refOf(machine))
    await provider.stop(refOf(machine))
    await given().reach(refOf(machine), 'stopped')
    await provider.stop(refOf(machine))
    expect(await provider.get(refOf(machine))).toMatchObject({ state: 'stopped', exit: { requested: true } })
    await provider.start(refOf(machine))
    await given().reach(refOf(machine), 'started')
  })

  it('MP4 destroy is idempotent; of an unknown machine it is success', async () => {
    const { provider } = given()
    await provider.destroy({ tenant: 'acme', id: '0123456789abcd' })
    const machine = await provider.create(spec(given()))
    await given().reach(refOf(machine), 'started')
    await provider.destroy(refOf(machine))
    await provider.destroy(refOf(machine))
    await given().reach(refOf(machine), 'absent')
    await provider.destroy(refOf(machine))
  })

  it('MP4 start and stop of an unknown machine are NotFound', async () => {
    const { provider } = given()
    const nobody = { tenant: 'acme', id: '0123456789abcd' }
    await expect(provider.start(nobody)).rejects.toMatchObject({ reason: 'NotFound' })
    await expect(provider.stop(nobody)).rejects.toMatchObject({ reason: 'NotFound' })
  })

  it.each(['start', 'stop', 'destroy'] as const)('MP2 after a lost reply %s may be repeated', async (call) => {
    const { provider } = given()
    const machine = await provider.create(spec(given()))
    await given().reach(refOf(machine), 'started')
    if (call === 'start') {
      await provider.stop(refOf(machine))
      await given().reach(refOf(machine), 'stopped')
    }
    given().loseNextReply(call)
    await expect(provider[call](refOf(machine))).rejects.toMatchObject({ reason: 'OutcomeUnknown' })
    await provider[call](refOf(machine))
    const end = { start: 'started', stop: 'stopped', destroy: 'absent' } as const
    await given().reach(refOf(machine), end[call])
  })

  it('MP10 MP11 ensureTenant may be repeated and leaves no machine; standing knows the tenant’s place', async () => {
    const { provider } = given()
    if (provider.ensureTenant === undefined) return
    await provider.ensureTenant('acme')
    await provider.ensureTenant('acme')
    expect(await provider.list('acme')).toEqual({ machines: [], complete: true })
    const machine = await provider.create(spec(given()))
    expect(provider.standing?.('acme')).toMatchObject({ app: machine.app, paused: [] })
  })

  it('MP4 removeTenant may be repeated, and without machines it leaves an empty list', async () => {
    const { provider } = given()
    await provider.removeTenant('acme')
    const machine = await provider.create(spec(given()))
    await given().reach(refOf(machine), 'started')
    await provider.destroy(refOf(machine))
    await given().reach(refOf(machine), 'absent')
    await provider.removeTenant('acme')
    await provider.removeTenant('acme')
    expect(await provider.list('acme')).toEqual({ machines: [], complete: true })
    expect((await provider.create(spec(given()))).name).toBe(machine.name)
  })
}

function ownershipRules(given: () => ProviderWorld): void {
  it('MP7 a machine of another sprite or incarnation than our record says is not touched', async () => {
    const { provider } = given()
    const made = spec(given())
    const { id } = await provider.create(made)
    const ref = { tenant: 'acme', id }
    await given().reach(ref, 'started')
    const { spriteUid, incarnation } = made.owner
    for (const of of [
      { spriteUid: 'another', incarnation },
      { spriteUid, incarnation: incarnation + 1 },
    ])
      for (const call of ['start', 'stop', 'destroy'] as const)
        await expect(provider[call]({ ...ref, of })).rejects.toMatchObject({ reason: 'NameConflict' })
    expect(given().truth(id)).toBe('started')
    await provider.destroy({ ...ref, of: { spriteUid, incarnation } })
  })

  it.each(['unstamped', 'foreign'] as const)('MP7 an %s machine is never touched', async (kind) => {
    const { provider } = given()
    await provider.create(spec(given(), 'first'))
    const foreign = specFor('acme', 'theirs', { controlPlane: 'another-control-plane' })
    const id = await given().plant('acme', {
      name: foreign.name,
      ...(kind === 'foreign' ? { owner: foreign.owner } : {}),
    })
    const ref = { tenant: 'acme', id }
    await given().reach(ref, 'started')
    for (const call of ['start', 'stop', 'destroy'] as const)
      await expect(provider[call](ref)).rejects.toMatchObject({ reason: 'NameConflict' })
    expect(given().truth(id)).toBe('started')
    expect((await provider.get(ref))?.owner).toBeUndefined()
    await expect(provider.create({ ...spec(given()), name: foreign.name })).rejects.toMatchObject({
      reason: 'NameConflict',
    })
  })
}
