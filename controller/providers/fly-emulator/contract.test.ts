/** The Fly adapter keeps the contract of MachineProvider against the emulator, over loopback HTTP and without it. */
import { seededEntropy } from '../../../system/entropy.ts'
import { settle, TestClock } from '../../../system/test-clock.ts'
import { providerContract, specFor, type ProviderWorld } from '../contract.ts'
import { createFlyProvider } from '../fly/fly-provider.ts'
import { createRequest } from '../fly/machine-config.ts'
import type { MachineState } from '../machines.ts'
import { createFakeRunner } from './fake-runner.ts'
import { createFlyEmulator } from './fly-emulator.ts'
import { createWatch } from './testing.ts'
import type { LatencyProfile } from './latency.ts'

type Setup = { readonly appTemplate: string; readonly latency: LatencyProfile; readonly overHttp: boolean }

const ACTIONS = {
  create: 'createMachine',
  start: 'startMachine',
  stop: 'stopMachine',
  destroy: 'destroyMachine',
} as const

async function open({ appTemplate, latency, overHttp }: Setup): Promise<ProviderWorld> {
  const clock = new TestClock()
  const { observe, unexplained } = createWatch()
  const emulator = createFlyEmulator({ clock, entropy: seededEntropy(5), runner: createFakeRunner(), latency, observe })
  const base = overHttp ? await emulator.listen() : 'http://emulator'
  const direct: typeof globalThis.fetch = (input, init) =>
    raceAbort(emulator.request(new Request(input as URL, init)), init?.signal ?? undefined)
  const provider = createFlyProvider({
    baseUrl: base,
    token: 'fm2_test',
    orgSlug: 'personal',
    appTemplate,
    controlPlaneId: 'cp',
    clock,
    paced: false,
    ...(overHttp ? {} : { fetch: direct }),
  })
  const truth = (id: string): MachineState | undefined =>
    emulator.machines().find((machine) => machine.id === id)?.state
  const raw = (path: string, body: object): Promise<Response> =>
    emulator.request(
      new Request(`http://emulator${path}`, {
        method: 'POST',
        headers: { authorization: 'Bearer t' },
        body: JSON.stringify(body),
      }),
    )
  return {
    provider,
    controlPlaneId: 'cp',
    reach: async (ref, state) => {
      await settle()
      for (let step = 0; step < 100 && (truth(ref.id) ?? 'absent') !== state; step++) await clock.advance(100)
      const now = truth(ref.id) ?? 'absent'
      if (now !== state) throw new Error(`Machine "${ref.id}" is "${now}", not "${state}"`)
      // Fly refuses a start for a while after a stop; the contract does not wait by itself.
      if (state === 'stopped') await clock.advance(10_000)
    },
    plant: async (tenant, { name, owner }) => {
      const app = appTemplate.replace('{tenant}', tenant)
      const body = createRequest({ ...specFor(tenant, 'theirs', { controlPlane: 'x' }), name })
      const stamped = owner ? createRequest({ ...specFor(tenant, 'theirs', { controlPlane: 'x' }), name, owner }) : body
      const config = owner ? stamped.config : { ...body.config, metadata: {}, env: {} }
      const response = await raw(`/v1/apps/${app}/machines`, { ...stamped, config })
      const machine = (await response.json()) as { id: string }
      return machine.id
    },
    loseNextReply: (call) => emulator.faults.add({ action: ACTIONS[call], fault: { kind: 'loseReply' } }),
    hangNext: (call) =>
      emulator.faults.add({ action: call === 'get' ? 'getMachine' : 'createMachine', fault: { kind: 'hang' } }),
    passDeadline: async () => {
      // The request must be on its way before the deadline passes: loopback takes some turns.
      for (let turn = 0; turn < 50 && !emulator.journal.at(-1)?.action.startsWith('create'); turn++) await settle(20)
      await clock.advance(4_000)
    },
    truth,
    close: async () => {
      await emulator.close()
      // What the adapter sends, and what it gets, is what the official description says.
      if (unexplained.length > 0) throw new Error(`Not as described: ${JSON.stringify(unexplained)}`)
    },
  }
}

/** What undici does with an aborted request. */
function raceAbort(answer: Promise<Response>, signal: AbortSignal | undefined): Promise<Response> {
  return new Promise((resolve, reject) => {
    signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
    answer.then(resolve, reject)
  })
}

const perTenant = 'highera-{tenant}'
providerContract('fly adapter and emulator over HTTP, app per tenant, instant', () =>
  open({ appTemplate: perTenant, latency: 'instant', overHttp: true }),
)
providerContract('fly adapter and emulator, app per tenant, as slow as Fly', () =>
  open({ appTemplate: perTenant, latency: 'fly', overHttp: false }),
)
providerContract('fly adapter and emulator, one shared app', () =>
  open({ appTemplate: 'highera-sprites', latency: 'instant', overHttp: false }),
)
