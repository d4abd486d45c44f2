/** The emulator's addresses and network policies of apps: kept and shown; no packet is ever held up by them. */
import { z } from 'zod'
import { randomHex } from '../../../system/entropy.ts'
import { microTimestamp } from '../../../system/timestamp.ts'
import { privateIp } from './ids.ts'
import type { EmulatedAddress, EmulatedApp } from './model.ts'
import { readBody } from './request-body.ts'
import { APP_NOT_FOUND, appOf, type Route, type RouteContext, type RouteRequest } from './routes.ts'
import { answer, refusalAnswer, type Answer } from './wire.ts'

/** Routes of addresses and policies. */
export const NETWORK_ROUTES: readonly Route[] = [
  { method: 'GET', path: '/apps/:app/ip_assignments', action: 'listAddresses', run: listAddresses },
  { method: 'POST', path: '/apps/:app/ip_assignments', action: 'assignAddress', run: assignAddress },
  { method: 'DELETE', path: '/apps/:app/ip_assignments/:key', action: 'releaseAddress', run: releaseAddress },
  { method: 'GET', path: '/apps/:app/network_policies', action: 'listPolicies', run: listPolicies },
  { method: 'POST', path: '/apps/:app/network_policies', action: 'putPolicy', run: putPolicy },
  { method: 'DELETE', path: '/apps/:app/network_policies/:key', action: 'deletePolicy', run: deletePolicy },
]

const PER_APP_MAX = 1_000

const addressSchema = z.object({
  type: z.enum(['v4', 'v6', 'shared_v4', 'private_v6']),
  network: z.string().max(256).nullish(),
  org_slug: z.string().max(256).nullish(),
  region: z.string().max(64).nullish(),
  service_name: z.string().max(256).nullish(),
})

function listAddresses(context: RouteContext, request: RouteRequest): Answer {
  const app = appOf(context, request)
  return app ? answer({ ips: (app.addresses ?? []).map(addressJson) }) : APP_NOT_FOUND
}

function assignAddress(context: RouteContext, request: RouteRequest): Answer {
  const app = appOf(context, request)
  if (!app) return APP_NOT_FOUND
  const body = readBody(addressSchema, request.body)
  if (!body.ok) return body.refusal
  const addresses = app.addresses ?? []
  if (addresses.length >= PER_APP_MAX) return refusalAnswer(422, `too many addresses, maximum ${PER_APP_MAX}`)
  const { type, network, region } = body.value
  const address: EmulatedAddress = {
    ip: newAddress(type, context.entropy.bytes(8)),
    type,
    region: region ?? 'global',
    // Where it can be reached from; not the app's own network unless that is said.
    ...(type === 'private_v6' ? { network: network ?? 'default' } : {}),
    createdAtMs: context.clock.now(),
  }
  context.records.putApp({ ...app, addresses: [...addresses, address] })
  return answer(addressJson(address))
}

function releaseAddress(context: RouteContext, request: RouteRequest): Answer {
  const app = appOf(context, request)
  if (!app) return APP_NOT_FOUND
  const addresses = app.addresses ?? []
  if (!addresses.some((address) => address.ip === request.key)) return refusalAnswer(404, 'not_found: ip not found')
  context.records.putApp({ ...app, addresses: addresses.filter((address) => address.ip !== request.key) })
  return { status: 204 }
}

/** Public ones are of the ranges for documentation. */
function newAddress(type: string, bytes: Uint8Array): string {
  const part = (at: number): number => bytes[at] ?? 0
  if (type === 'private_v6') return privateIp(bytes).replace(/:2$/, ':3')
  if (type === 'v6') return `2001:db8:${part(0).toString(16)}:${part(1).toString(16)}::${part(2).toString(16)}`
  return type === 'v4' ? `203.0.113.${part(0)}` : `198.51.100.${part(0)}`
}

const addressJson = (address: EmulatedAddress): object => ({
  ip: address.ip,
  region: address.region,
  created_at: microTimestamp(address.createdAtMs),
  shared: address.type === 'shared_v4',
})

const portSchema = z.object({
  protocol: z.enum(['TCP', 'UDP', 'tcp', 'udp']),
  port: z.union([z.int().min(1).max(65_535), z.string().max(32)]).optional(),
})
const policySchema = z.object({
  id: z.string().max(64).optional(),
  name: z.string().min(1).max(256),
  selector: z.object({
    all: z.boolean().optional(),
    machines: z.array(z.string()).max(PER_APP_MAX).optional(),
    metadata: z.record(z.string(), z.string()).optional(),
  }),
  rules: z
    .array(
      z.object({
        action: z.literal('allow'),
        direction: z.enum(['ingress', 'egress']),
        ports: z.array(portSchema).max(100).optional(),
      }),
    )
    .max(100),
})

function listPolicies(context: RouteContext, request: RouteRequest): Answer {
  const app = appOf(context, request)
  return app ? answer(app.policies ?? []) : APP_NOT_FOUND
}

/** A policy of that id or name is replaced. */
function putPolicy(context: RouteContext, request: RouteRequest): Answer {
  const app = appOf(context, request)
  if (!app) return APP_NOT_FOUND
  const body = readBody(policySchema, request.body)
  if (!body.ok) return body.refusal
  const policies: NonNullable<EmulatedApp['policies']> = app.policies ?? []
  const { id, name } = body.value
  const old = policies.find((one) => (id === undefined ? one['name'] === name : one.id === id))
  if (id !== undefined && !old) return refusalAnswer(404, 'not_found: network policy not found')
  if (!old && policies.length >= PER_APP_MAX) return refusalAnswer(422, `too many policies, maximum ${PER_APP_MAX}`)
  const policy = { ...body.value, id: old?.id ?? randomHex(context.entropy, 8) }
  context.records.putApp({ ...app, policies: [...policies.filter((one) => one.id !== policy.id), policy] })
  return answer(policy, old ? 200 : 201)
}

function deletePolicy(context: RouteContext, request: RouteRequest): Answer {
  const app = appOf(context, request)
  if (!app) return APP_NOT_FOUND
  const policies = app.policies ?? []
  if (!policies.some((one) => one.id === request.key)) return refusalAnswer(404, 'not_found: network policy not found')
  context.records.putApp({ ...app, policies: policies.filter((one) => one.id !== request.key) })
  return { status: 204 }
}
