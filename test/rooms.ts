/** Says which room of the house may import which. Pure: the table that `architecture.test.ts` holds the tree against. */
import type { Import, SourceFile } from './source-tree.ts'

/** One room: where it lies and what its product code may import besides itself. */
export type Room = {
  readonly name: string
  /** Paths that begin so belong to it; the longest wins. */
  readonly prefixes: readonly string[]
  /** Rooms that it may import values and types from. */
  readonly may: readonly string[]
  /** Single files (ports) of other rooms that it may import from, values included. */
  readonly ports?: readonly string[]
  /** Single files of which it may take types alone. */
  readonly types?: readonly string[]
  /** npm packages that it may import; `*` is any. */
  readonly packages: readonly string[]
  /** Whether it may import `node:` modules. */
  readonly mayNode: boolean
}

const CLIENT_PORT = 'controller/client/client.ts'
const ENGINE_TYPES = 'controller/engine/types.ts'
const MACHINE_PORT = 'controller/providers/machines.ts'
const BUS_PORTS = ['controller/bus/bus.ts', 'controller/bus/presence.ts']
const SPRITE_USERS_PORT = 'controller/bus/sprite-users.ts'
const LEDGER_PORT = 'controller/ledger/ledger.ts'
const STORE_PORT = 'controller/store/store.ts'
const AUTHORIZER_PORT = 'controller/access/authorizer.ts'
const REGISTRY_PORT = 'controller/registry/registry.ts'

/** The rooms. A file under no prefix is itself a finding: a new room begins with a line here and one in docs/adr. */
export const ROOMS: readonly Room[] = [
  { name: 'system', prefixes: ['system/'], may: [], packages: ['pino', 'prom-client'], mayNode: true },
  { name: 'protocol', prefixes: ['protocol/'], may: ['system'], packages: ['zod', 'yaml'], mayNode: false },
  {
    name: 'api',
    prefixes: ['controller/api/'],
    may: [],
    ports: ['system/result.ts'],
    packages: ['zod', 'rfc6902', '@marcbachmann/cel-js'],
    mayNode: false,
  },
  {
    name: 'kinds',
    prefixes: ['controller/kinds/'],
    may: ['api', 'protocol', 'system'],
    // Only the shell files get here: pure files are held to pure ports by the rule on purity.
    ports: [CLIENT_PORT, ENGINE_TYPES, MACHINE_PORT, ...BUS_PORTS, LEDGER_PORT],
    packages: ['zod'],
    mayNode: true,
  },
  {
    name: 'engine',
    prefixes: ['controller/engine/'],
    may: ['api', 'system'],
    ports: [CLIENT_PORT],
    packages: [],
    mayNode: true,
  },
  {
    name: 'client',
    prefixes: ['controller/client/'],
    may: ['api', 'system'],
    ports: [REGISTRY_PORT],
    packages: ['@kubernetes/client-node'],
    mayNode: false,
  },
  {
    name: 'registry',
    prefixes: ['controller/registry/'],
    may: ['api', 'system'],
    ports: [STORE_PORT],
    types: [CLIENT_PORT],
    packages: [],
    mayNode: false,
  },
  {
    name: 'store',
    prefixes: ['controller/store/'],
    may: ['api', 'system'],
    packages: ['@google-cloud/firestore'],
    mayNode: true,
  },
  {
    name: 'server',
    prefixes: ['controller/server/'],
    may: ['api', 'kinds', 'manifest', 'registry', 'system'],
    ports: [AUTHORIZER_PORT],
    types: [CLIENT_PORT],
    packages: ['@peculiar/x509', 'ws', 'yaml', 'zod'],
    mayNode: true,
  },
  {
    name: 'access',
    prefixes: ['controller/access/'],
    may: ['api', 'kinds', 'system'],
    ports: [REGISTRY_PORT],
    packages: ['jose', 'zod'],
    mayNode: true,
  },
  {
    name: 'views',
    prefixes: ['controller/views/'],
    may: ['api', 'kinds', 'registry', 'system'],
    packages: [],
    mayNode: false,
  },
  {
    name: 'coordinator',
    prefixes: ['controller/coordinator/'],
    may: ['api', 'kinds', 'protocol', 'system'],
    ports: [CLIENT_PORT, ...BUS_PORTS, SPRITE_USERS_PORT, LEDGER_PORT],
    types: [ENGINE_TYPES],
    packages: ['@anthropic-ai/sdk', 'zod'],
    mayNode: true,
  },
  {
    name: 'providers',
    prefixes: ['controller/providers/'],
    may: ['system'],
    packages: ['p-queue', 'zod'],
    mayNode: true,
  },
  {
    name: 'bus',
    prefixes: ['controller/bus/'],
    may: ['protocol', 'system'],
    packages: ['ioredis'],
    mayNode: true,
  },
  { name: 'ledger', prefixes: ['controller/ledger/'], may: ['system'], packages: ['ioredis'], mayNode: true },
  { name: 'manifest', prefixes: ['controller/manifest/'], may: ['api'], packages: ['yaml'], mayNode: false },
  {
    name: 'persona-folder',
    prefixes: ['controller/persona-folder'],
    may: ['protocol'],
    packages: [],
    mayNode: true,
  },
  { name: 'config', prefixes: ['controller/config'], may: [], packages: ['zod'], mayNode: false },
  {
    name: 'composition',
    prefixes: ['controller/main.ts', 'controller/assembly/', 'controller/cli/'],
    may: ['*'],
    packages: ['*'],
    mayNode: true,
  },
  {
    name: 'sprite',
    prefixes: ['sprite/'],
    may: ['protocol', 'system'],
    packages: ['@anthropic-ai/sdk', 'ioredis', 'zod'],
    mayNode: true,
  },
  { name: 'tools', prefixes: ['bench/', 'bin/', 'scripts/', 'test/'], may: ['*'], packages: ['*'], mayNode: true },
]

/** Adapters and servers: files that only the composition (and tests) take values from, and their own folder. */
export const ADAPTERS: readonly string[] = [
  'controller/store/memory.ts',
  'controller/store/embedded.ts',
  'controller/store/database.ts',
  'controller/store/firestore',
  'controller/client/local.ts',
  'controller/client/kube',
  'controller/registry/create-registry.ts',
  'controller/bus/memory.ts',
  'controller/bus/redis',
  'controller/ledger/memory.ts',
  'controller/ledger/embedded.ts',
  'controller/ledger/redis',
  'controller/providers/fly/',
  'controller/providers/fly-emulator/',
  'controller/providers/machine-feed.ts',
  'controller/server/server.ts',
  'controller/engine/manager.ts',
  'controller/coordinator/coordinator.ts',
]

/** Folders whose neighbours are adapters of one port: none imports another. */
const PEERS: readonly (readonly [string, string])[] = [
  ['controller/store/embedded.ts', 'controller/store/memory.ts'],
  ['controller/client/local.ts', 'controller/client/kube'],
  ['controller/ledger/embedded.ts', 'controller/ledger/memory.ts'],
]

/** The room of a path, or undefined when no room has it. */
export function roomOf(path: string): Room | undefined {
  const fits = ROOMS.flatMap((room) =>
    room.prefixes.filter((prefix) => path.startsWith(prefix)).map((prefix) => ({ room, prefix })),
  )
  return fits.sort((a, b) => b.prefix.length - a.prefix.length)[0]?.room
}

/** Why the file may not import that; undefined when it may. */
export function importFinding(file: Pick<SourceFile, 'path' | 'isTestOnly'>, one: Import): string | undefined {
  const room = roomOf(file.path)
  if (room === undefined) return 'the file is in no room: add one to test/rooms.ts'
  if (!one.isOurs) return file.isTestOnly ? undefined : packageFinding(room, one)
  // The version that a program tells of itself.
  if (one.target === 'package.json' && room.may.includes('*')) return undefined
  const other = roomOf(one.target)
  if (other === undefined) return `${one.target} is in no room`
  if (file.isTestOnly || room.name === 'tools') return testFinding(room, other)
  return roomFinding(room, other, one) ?? peerFinding(file.path, one)
}

function packageFinding(room: Room, one: Import): string | undefined {
  if (one.target.startsWith('node:')) return room.mayNode ? undefined : `${room.name} imports no node: modules`
  const name = one.target
    .split('/')
    .slice(0, one.target.startsWith('@') ? 2 : 1)
    .join('/')
  if (room.packages.includes('*') || room.packages.includes(name)) return undefined
  return `${room.name} may import of npm only: ${room.packages.join(', ') || 'nothing'}`
}

/** Tests may stand up what their room only knows as a port; but no room's tests reach across the process border. */
function testFinding(room: Room, other: Room): string | undefined {
  const isCrossing =
    (room.name === 'sprite' && !['sprite', 'protocol', 'system'].includes(other.name)) ||
    (room.name === 'system' && other.name !== 'system')
  return isCrossing ? `tests of ${room.name} do not know ${other.name}` : undefined
}

function roomFinding(room: Room, other: Room, one: Import): string | undefined {
  if (other === room) return undefined
  if (other.name === 'tools') return 'product code imports no tools and no tests'
  if (other.name === 'sprite') return 'the sprite is another process: only protocol/ is shared'
  if (room.may.includes('*') || room.may.includes(other.name)) return undefined
  if (room.ports?.includes(one.target) === true) return undefined
  if (room.types?.includes(one.target) === true)
    return one.isType ? undefined : `${room.name} may take only types from ${one.target}`
  const ports = [...(room.ports ?? []), ...(room.types ?? []).map((port) => `${port} (types)`)]
  return `${room.name} may import only itself, ${[...room.may, ...ports].join(', ') || 'nothing else'}`
}

function peerFinding(path: string, one: Import): string | undefined {
  const isPeer = PEERS.some(
    ([a, b]) => (path.startsWith(a) && one.target.startsWith(b)) || (path.startsWith(b) && one.target.startsWith(a)),
  )
  return isPeer ? 'adapters of one port do not know each other' : undefined
}

/** Whether the file must be pure: it says so in its header, or is the schema, admission or decision of a kind. */
export const isPure = (file: Pick<SourceFile, 'path' | 'header' | 'isTestOnly'>): boolean =>
  !file.isTestOnly &&
  (/\bPure\b/.test(file.header) || /^controller\/kinds\/[^/]+\/(schema|admit|decide)\.ts$/.test(file.path))

/** Port files that hold types and tables alone, so that pure files may take values from them too. */
export const PURE_PORTS: readonly string[] = [
  AUTHORIZER_PORT,
  MACHINE_PORT,
  LEDGER_PORT,
  ...BUS_PORTS,
  SPRITE_USERS_PORT,
  CLIENT_PORT,
  ENGINE_TYPES,
]
