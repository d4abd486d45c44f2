/** What the wire tests share: a machine in Fly's words, a provider that talks to nock, and the hooks that keep tests apart. */
import nock from 'nock'
import { afterAll, afterEach, beforeEach, expect } from 'vitest'
import { TestClock } from '../../../system/test-clock.ts'
import { specFor } from '../contract.ts'
import type { MachineProvider } from '../machines.ts'
import { createFlyProvider, type FlyProviderOptions } from './fly-provider.ts'
import { createRequest } from './machine-config.ts'

/** The public API. */
export const BASE = 'https://api.machines.dev'
/** The machine that the tests ask for. */
export const SPEC = specFor('acme', 'writer', { controlPlane: 'cp' })
/** Path of its app’s machines. */
export const MACHINES = '/v1/apps/highera-acme/machines'
/** Its id. */
export const ID = '5683d474f4658e'
/** Its ref. */
export const REF = { tenant: 'acme', id: ID }
/** Its app, as the API tells it. */
export const APP = { name: 'highera-acme', network: 'highera-acme', organization: { slug: 'personal' } }
/** The words of a 409 that names it. */
export const TAKEN = `already_exists: unique machine name violation, machine ID ${ID} already exists with name "${SPEC.name}"`

/** It, as the API tells it, with fields changed. */
export const flyMachine = (change: object = {}): object => ({
  id: ID,
  name: SPEC.name,
  state: 'started',
  region: 'iad',
  instance_id: '01JD0000000000000000000000',
  created_at: '2026-01-15T12:00:00Z',
  updated_at: '2026-01-15T12:00:01.5Z',
  config: createRequest(SPEC).config,
  events: [],
  host_status: 'ok',
  brand_new_field: { any: 'thing' },
  ...change,
})

/** The clock of every provider here. */
export const clock = new TestClock()
/** A provider that nock answers. */
export const provider = (options: Partial<FlyProviderOptions> = {}): MachineProvider =>
  createFlyProvider({
    baseUrl: BASE,
    token: 'fm2_token',
    orgSlug: 'personal',
    appTemplate: 'highera-{tenant}',
    controlPlaneId: 'cp',
    clock,
    paced: false,
    ...options,
  })
/** Answers to requests that carry our token. */
export const api = (): nock.Scope => nock(BASE, { reqheaders: { authorization: 'FlyV1 fm2_token' } })

/** No test reaches the network or leaves an answer unused. */
export function onlyNock(): void {
  beforeEach(() => {
    nock.disableNetConnect()
  })
  afterEach(() => {
    const pending = nock.pendingMocks()
    nock.cleanAll()
    expect(pending).toEqual([])
  })
  afterAll(() => {
    nock.enableNetConnect()
    nock.restore()
  })
}
