/** Objects and manifests for the tests of this room. Pure. */
import type { KubeObject, ObjectMeta } from '../api/object.ts'
import type { Sprite } from '../kinds/sprite/schema.ts'
import type { Tenant } from '../kinds/tenant/schema.ts'
import type { Work } from '../kinds/work/schema.ts'

export const AT = '2026-01-15T12:00:00Z'

const meta = (name: string, namespace?: string, over: Partial<ObjectMeta> = {}): ObjectMeta => ({
  name,
  ...(namespace === undefined ? {} : { namespace }),
  uid: `${namespace ?? ''}-${name}-uid`,
  resourceVersion: '1',
  generation: 1,
  creationTimestamp: AT,
  ...over,
})

const API_VERSION = 'sprites.highera.com/v1alpha1'

export const readyCondition = (reason: string, message = '', status: 'True' | 'False' = 'True') => ({
  type: 'Ready',
  status,
  reason,
  message,
  lastTransitionTime: AT,
  observedGeneration: 1,
})

export const tenantOf = (name: string, status: Tenant['status'] = {}, plan = 'growth'): Tenant => ({
  apiVersion: API_VERSION,
  kind: 'Tenant',
  metadata: meta(name),
  spec: { displayName: name, plan, config: {}, brand: {}, suspend: false },
  status,
})

export const spriteOf = (name: string, status: Sprite['status'] = {}, over: Partial<Sprite['spec']> = {}): Sprite => ({
  apiVersion: API_VERSION,
  kind: 'Sprite',
  metadata: meta(name, 'acme'),
  spec: { agentType: 'copywriter', runPolicy: 'OnDemand', ...over },
  status,
})

export const workOf = (name: string, status: Work['status'] = {}, over: Partial<Work['spec']> = {}): Work => ({
  apiVersion: API_VERSION,
  kind: 'Work',
  metadata: meta(name, 'acme'),
  spec: {
    type: 'write_copy',
    description: 'Write it.',
    agentType: 'copywriter',
    priority: 0,
    maxAttempts: 3,
    cancelled: false,
    ...over,
  },
  status,
})

export const namespaceOf = (name: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: meta(name),
  spec: {},
})

/** Limits as the Tenant controller publishes them. */
export const GROWTH_LIMITS = {
  concurrentSprites: 4,
  agentTypes: null,
  monthlyTokens: 10_000_000,
  spriteIdleTimeoutSeconds: 300,
  priority: 4,
  priorityRouting: true,
  customPersonas: false,
  stoppedMachineRetentionSeconds: 3600,
  guest: { cpuKind: 'shared', cpus: 1, memoryMb: 512 },
} as const

export const TENANT_YAML = `apiVersion: sprites.highera.com/v1alpha1
kind: Tenant
metadata:
  name: acme
spec:
  displayName: Acme
  plan: growth
`

export const spriteYaml = (name: string, agentType = 'copywriter', more = ''): string =>
  `apiVersion: sprites.highera.com/v1alpha1
kind: Sprite
metadata:
  name: ${name}
  namespace: acme
spec:
  agentType: ${agentType}
${more}`
