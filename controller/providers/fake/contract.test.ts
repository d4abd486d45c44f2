/** The fake keeps the contract of MachineProvider. */
import { seededEntropy } from '../../../system/entropy.ts'
import { TestClock } from '../../../system/test-clock.ts'
import { providerContract } from '../contract.ts'
import { createFakeMachines } from './fake-machines.ts'

providerContract('fake', async () => {
  const clock = new TestClock()
  const fake = createFakeMachines({ clock, entropy: seededEntropy(3), controlPlaneId: 'cp', steps: { min: 1, max: 3 } })
  const truth = (id: string) => fake.machines().find((machine) => machine.id === id)?.state
  return {
    provider: fake,
    controlPlaneId: 'cp',
    reach: async (ref, state) => {
      fake.settle()
      const now = truth(ref.id) ?? 'absent'
      if (now !== state) throw new Error(`Machine "${ref.id}" is "${now}", not "${state}"`)
    },
    plant: async (tenant, options) => fake.plant(tenant, options).id,
    loseNextReply: (call) => fake.faults.next(call, { kind: 'loseReply' }),
    hangNext: (call) => fake.faults.next(call, { kind: 'hang' }),
    passDeadline: () => clock.advance(4_000),
    truth,
    close: async () => fake.close(),
  }
})
