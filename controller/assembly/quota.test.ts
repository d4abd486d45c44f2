/** The quota of a control plane: read from its settings. */
import { describe, expect, it } from 'vitest'
import { ConfigError, readEnvironment } from '../config.ts'
import { createMemoryStore } from '../store/memory.ts'
import { tenantQuota } from './quota.ts'

const store = createMemoryStore({})

describe('settings of the quota', () => {
  it.each(['work', 'plans=1', 'work=-1', 'work=1;users=2'])('QT7 that cannot be read stop the start: %j', (text) => {
    const start = () => tenantQuota(readEnvironment({ TENANT_OBJECT_LIMITS: text }), store)
    expect(start).toThrow(ConfigError)
    expect(start).toThrow('TENANT_OBJECT_LIMITS')
  })

  it('QT7 may be left out', () => {
    for (const text of ['', 'work=1', 'work=1,secrets=0'])
      expect(tenantQuota(readEnvironment({ TENANT_OBJECT_LIMITS: text }), store)).toBeDefined()
  })
})
