/** Which leases say that a process works on a store. */
import { describe, expect, it } from 'vitest'
import { TestClock } from '../../../system/test-clock.ts'
import { timestamp } from '../../../system/timestamp.ts'
import { SYSTEM_NAMESPACE } from '../../api/namespaces.ts'
import { leaseResource, namespaceResource } from '../../registry/core.ts'
import { CONTEXT, testRegistry } from '../../registry/testing.ts'
import { heldMember, refuseAtWork } from './at-work.ts'

const clock = new TestClock()
const lease = (name: string, holderIdentity: string, ageMs: number) => ({
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  metadata: {
    name,
    namespace: SYSTEM_NAMESPACE,
    uid: 'u',
    resourceVersion: '1',
    generation: 1,
    creationTimestamp: timestamp(0),
  },
  spec: { holderIdentity, leaseDurationSeconds: 15, renewTime: timestamp(clock.now() - ageMs) },
})

describe('a store that is worked on', () => {
  it.each([
    ['a member that renewed a moment ago', lease('sprites-member-0', 'host_1', 4_000), true],
    ['one whose clock is ahead', lease('sprites-member-3', 'host_1', -4_000), true],
    ['one that was killed long ago', lease('sprites-member-0', 'host_1', 31_000), false],
    ['one that gave its lease back', lease('sprites-member-0', '', 1_000), false],
    ['a lease of something else', lease('other-member-0', 'host_1', 1_000), false],
  ])('TF11 %s', (_title, one, isHeld) => {
    expect(heldMember([one], clock.now()) !== undefined).toBe(isHeld)
  })

  it('TF11 is refused, with who works on it', async () => {
    const { registry } = await testRegistry()
    await registry.create(namespaceResource, '', { metadata: { name: SYSTEM_NAMESPACE } }, CONTEXT)
    await refuseAtWork(registry, 'Firestore', clock)
    const { metadata, ...rest } = lease('sprites-member-0', 'host_1', 0)
    await registry.create(leaseResource, SYSTEM_NAMESPACE, { ...rest, metadata: { name: metadata.name } }, CONTEXT)
    await expect(refuseAtWork(registry, 'Firestore', clock)).rejects.toThrow(
      /^Stop every process first: Firestore is worked on by "host_1"/,
    )
  })
})
