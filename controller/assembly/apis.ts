/** Builds the APIs that a control plane answers: the Coordinator for sprites and apps, and the Kubernetes API with all of them. */
import type { SpriteUsers } from '../bus/sprite-users.ts'
import type { Access } from '../access/access.ts'
import { createCoordinator, type Coordinator } from '../coordinator/coordinator.ts'
import { anthropicUpstream } from '../coordinator/gateway/anthropic.ts'
import { rehearsalUpstream } from '../coordinator/gateway/rehearsal.ts'
import { DEFAULT_SETTINGS, SHARED_PROGRESS_INTERVAL_MS } from '../coordinator/ports.ts'
import { createProductApi } from '../coordinator/product.ts'
import { withViews } from '../registry/views.ts'
import { createFairSeats } from '../server/fair-seats.ts'
import { podView } from '../views/pods.ts'
import { createApiServer, type ApiServer } from '../server/server.ts'
import type { TokenSet } from '../server/tokens.ts'
import { isShared, rolesOf } from '../config.ts'
import { appCallers } from './access.ts'
import { auditRoutes } from './audit-routes.ts'
import type { Foundations, Objects } from './foundations.ts'
import { openAnthropicKeys } from './anthropic-keys.ts'
import { askFreeze } from './freeze.ts'
import { openBackupRoute } from './backup-route.ts'
import { refusedAtDoor } from './front-door.ts'
import { routeLog } from './log-route.ts'
import { routeMalformed } from './malformed-route.ts'
import type { Machines } from './machines.ts'
import { podLogSubresource } from './pod-log.ts'
import { refuseSprites } from './no-coordinator.ts'
import { anyOf, openOidc } from './oidc.ts'
import { productClient } from './quota.ts'
import { productSubresources } from './subresources.ts'
import { openViews } from './views.ts'

/** The parts of a control plane that its APIs answer from. */
export type ApiParts = Foundations & Objects & { readonly machines: Machines }

/** The Coordinator: with a key for Claude it calls Claude, without one it rehearses. */
export function openCoordinator(parts: ApiParts & { readonly spriteUsers?: SpriteUsers | undefined }): Coordinator {
  const { client, manager, bus, ledger, presence, clock, entropy, metrics, masterKey, personas, environment } = parts
  const apiKey = environment.ANTHROPIC_API_KEY
  const settings = {
    ...DEFAULT_SETTINGS,
    ...(isShared(environment) ? { progressIntervalMs: SHARED_PROGRESS_INTERVAL_MS } : {}),
    ...(environment.SPRITE_MODEL === undefined ? {} : { defaultModel: environment.SPRITE_MODEL }),
  }
  return createCoordinator({
    client,
    cache: manager.cache,
    bus,
    ...(parts.spriteUsers === undefined ? {} : { spriteUsers: parts.spriteUsers }),
    ledger,
    presence,
    recorder: manager.recorder,
    clock,
    entropy,
    log: parts.log.child({ part: 'coordinator' }),
    metrics,
    masterKey,
    personas: (agentType) => personas.get(agentType),
    upstream:
      apiKey === undefined
        ? rehearsalUpstream()
        : anthropicUpstream({ apiKey, baseUrl: environment.ANTHROPIC_BASE_URL, timeoutMs: settings.upstreamTimeoutMs }),
    ownUpstream: openAnthropicKeys(parts.registry, environment).ownUpstream,
    settings,
  })
}

/** The server that answers the Kubernetes API, and behind the same listeners Coordinator, logs and product API. */
export function openServer(
  parts: ApiParts & {
    /** Absent where another process has that role. */
    readonly coordinator?: Coordinator | undefined
    readonly tokens: TokenSet
    readonly access: Access
  },
): ApiServer {
  const { client, manager, machines, coordinator, tokens, access, registry, metrics, clock, entropy, log } = parts
  const { note, noteAdmin, audited } = auditRoutes(parts)
  const oidc = openOidc(parts.environment, { clock, log })
  const authenticate = anyOf(tokens.authenticate, access.authenticate, oidc.authenticate)
  const product = createProductApi({
    client: productClient(registry),
    note,
    entropy,
    log,
    authenticate: appCallers(access, authenticate),
  })
  const { authorizer } = access
  const logPorts = { client, authenticate, authorizer, logPath: machines.logPath }
  const malformedPorts = { authenticate, authorizer, store: parts.storeAtRest }
  const routeBackup = openBackupRoute({ ...parts, authenticate, authorizer, noteAdmin })
  const closing = new AbortController()
  const hasApi = rolesOf(parts.environment).has('api')
  const server = createApiServer({
    registry: withViews(registry, openViews(parts)),
    subresources: [
      ...productSubresources({ registry, clock, frozenBy: askFreeze(registry, parts.environment) }),
      podLogSubresource({ pods: podView(registry), logPath: machines.logPath, clock, closing: closing.signal }),
    ],
    authenticate,
    authorizer,
    audit: parts.audit,
    log: log.child({ part: 'api' }),
    metrics,
    clock,
    entropy,
    hasApi,
    seats: createFairSeats({ clock, metrics }),
    readiness: () =>
      Promise.resolve([
        ...(manager.isSynced ? [] : ['The caches are not filled yet']),
        ...[parts.audit.problem()].filter((problem) => problem !== undefined),
      ]),
    extraRoutes: audited(
      async (request, response, url) =>
        (coordinator === undefined ? refuseSprites(response, url) : await coordinator.route(request, response, url)) ||
        // Sprites prove themselves by their own tokens; people and apps come in as to the API itself.
        (await refusedAtDoor(request, response)) ||
        (hasApi && (await routeLog(logPorts, request, response, { url, closing: closing.signal }))) ||
        (hasApi && (await routeMalformed(malformedPorts, request, response, url))) ||
        (hasApi && (await routeBackup(request, response, { url, closing: closing.signal }))) ||
        ((hasApi || coordinator !== undefined) && (await product.route(request, response, url))),
    ),
  })
  const close: ApiServer['close'] = (options) => {
    // A log that is followed has no end of its own.
    closing.abort()
    oidc.close()
    return server.close(options)
  }
  return { ...server, close }
}
