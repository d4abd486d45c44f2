/** The examples applied as Flux, Argo CD and kubectl apply them: what was applied is applied again, and nothing is written. */
import { readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseAllDocuments, stringify } from 'yaml'
import { oldestAndNewest, runWith } from './e2e/kubectl.ts'
import { Plane } from './e2e/plane.ts'
import { sameJson } from './differential/seen.ts'

const EXAMPLES = fileURLToPath(new URL('../examples', import.meta.url))
const TENANTS = ['acme-corp', 'startup-xyz'] as const
const KUBECTLS = oldestAndNewest()

type Manifest = {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Record<string, string> }
  readonly spec?: unknown
}
type Live = Manifest & {
  readonly metadata: { readonly uid: string; readonly resourceVersion?: string; readonly generation: number }
  readonly status?: { readonly conditions?: unknown }
}

/**
 * The manifests of a tenant's folder, in the order in which kubectl meets them. An overlay suspends the tenant: then
 * the control plane comes to rest, and every later write is one of the tool's.
 */
function manifestsOf(tenant: string): readonly Manifest[] {
  const folder = join(EXAMPLES, tenant)
  const files = readdirSync(folder)
    .filter((file) => file.endsWith('.yaml'))
    .sort()
  // Manifests of ours: the examples' own test validates them.
  return files.flatMap((file) =>
    parseAllDocuments(readFileSync(join(folder, file), 'utf8')).map((document) =>
      suspended(document.toJS() as Manifest),
    ),
  )
}

const suspended = (manifest: Manifest): Manifest =>
  manifest.kind === 'Tenant' ? { ...manifest, spec: { ...(manifest.spec as object), suspend: true } } : manifest

const PLURALS: ReadonlyMap<string, string> = new Map([
  ['Tenant', 'tenants'],
  ['User', 'users'],
  ['Project', 'projects'],
  ['Sprite', 'sprites'],
  ['Work', 'work'],
])

function pathOf({ kind, metadata }: Pick<Manifest, 'kind' | 'metadata'>): string {
  const within = metadata.namespace === undefined ? '' : `/namespaces/${metadata.namespace}`
  return `/apis/sprites.highera.com/v1alpha1${within}/${PLURALS.get(kind)}/${metadata.name}`
}

/** A plane that shows every write, by the versions of everything there is. */
class Watched {
  readonly #plane: Plane

  constructor(plane: Plane) {
    this.#plane = plane
  }

  /** Everything of the product, with Events and namespaces left out: those are told, not applied. */
  async everything(): Promise<readonly Live[]> {
    const kinds = ['tenants', 'users', 'projects', 'sprites', 'work', 'reviews', 'personas', 'plans']
    const lists = await Promise.all(kinds.map((plural) => this.#plane.list<Live>(plural)))
    return lists.flat()
  }

  /** Waits until nothing has been written for a while: controllers have done what they had to. */
  async settle(): Promise<readonly Live[]> {
    let last = await this.everything()
    let calmLooks = 0
    await this.#plane.until('the control plane to come to rest', async () => {
      const now = await this.everything()
      calmLooks = sameJson(now, last) ? calmLooks + 1 : 0
      last = now
      return calmLooks >= CALM_LOOKS
    })
    return last
  }
}

/** Looks in a row that must show the same: 20 ms and some requests lie between two. */
const CALM_LOOKS = 40

type Applied = { readonly status: number; readonly object: Live }

async function apply(
  plane: Plane,
  manifest: Manifest,
  {
    manager,
    isDry = false,
    force = true,
  }: { readonly manager: string; readonly isDry?: boolean; readonly force?: boolean },
): Promise<Applied> {
  const query = `?fieldManager=${manager}&force=${force}${isDry ? '&dryRun=All' : ''}`
  const { status, text } = await plane.ask('PATCH', pathOf(manifest) + query, manifest, 'application/apply-patch+yaml')
  return { status, object: JSON.parse(text) as Live } // a success is the object, anything else fails the test
}

/** What Flux compares: the object as it is and as a dry run would make it, without what every write moves. */
function isDrifted(live: Live | undefined, dry: Live): boolean {
  if (live === undefined || dry.metadata.resourceVersion === undefined) return true
  const bare = ({ metadata, status: _status, ...rest }: Live): unknown => ({
    ...rest,
    metadata: { ...metadata, managedFields: undefined, resourceVersion: undefined, generation: undefined },
  })
  return !sameJson(bare(live), bare(dry))
}

/** One reconciliation as kustomize-controller does it: dry run, compare, apply what differs. Gives what it applied. */
async function fluxRun(plane: Plane, manifests: readonly Manifest[]): Promise<readonly string[]> {
  const applied: string[] = []
  for (const manifest of manifests) {
    const found = await plane.ask('GET', pathOf(manifest))
    const live = found.status === 200 ? (JSON.parse(found.text) as Live) : undefined // as above
    const dry = await apply(plane, manifest, { manager: 'kustomize-controller', isDry: true })
    expect(dry.status, JSON.stringify(dry.object)).toBeLessThan(300)
    if (!isDrifted(live, dry.object)) continue
    const done = await apply(plane, manifest, { manager: 'kustomize-controller' })
    expect(done.status).toBeLessThan(300)
    applied.push(`${manifest.kind}/${manifest.metadata.name}`)
  }
  return applied
}

const withLabels = (manifest: Manifest, labels: Record<string, string>): Manifest => ({
  ...manifest,
  metadata: { ...manifest.metadata, labels: { ...manifest.metadata.labels, ...labels } },
})

let plane: Plane
let watched: Watched

beforeAll(async () => {
  plane = await Plane.create()
  await plane.start()
  watched = new Watched(plane)
})

afterAll(() => plane?.destroy())

const FLUX_LABELS = {
  'kustomize.toolkit.fluxcd.io/name': 'fleet',
  'kustomize.toolkit.fluxcd.io/namespace': 'flux-system',
}
const fluxSet = (): readonly Manifest[] =>
  TENANTS.flatMap((tenant) => manifestsOf(tenant)).map((manifest) => withLabels(manifest, FLUX_LABELS))

describe('as Flux applies', () => {
  it('DF5 applies all of it once, and nothing when asked again', async () => {
    const set = fluxSet()
    await fluxRun(plane, set)
    // The control plane may have written to what was just applied; what is applied is settled by a second look.
    await watched.settle()
    const before = await watched.settle()
    expect(await fluxRun(plane, set)).toEqual([])
    expect(await watched.settle()).toEqual(before)
  })

  it('DF5 applies the same again by force, object by object: no version and no time moves', async () => {
    const before = await watched.settle()
    for (const manifest of fluxSet()) {
      const { status, object } = await apply(plane, manifest, { manager: 'kustomize-controller' })
      expect(status).toBe(200)
      expect(object).toEqual(before.find(({ metadata }) => metadata.uid === object.metadata.uid))
    }
    expect(await watched.settle()).toEqual(before)
  })

  it('DF5 takes drift back, and prunes what left the set', async () => {
    const set = fluxSet()
    const [tenant] = set.filter(({ kind }) => kind === 'Tenant')
    const gone = set.find(({ kind, metadata }) => kind === 'User' && metadata.name === 'agency')
    if (tenant === undefined || gone === undefined) throw new Error('The examples have changed')
    await plane.ask('PATCH', pathOf(tenant), { spec: { displayName: 'By hand' } }, 'application/merge-patch+json')
    expect(await fluxRun(plane, set)).toEqual([`Tenant/${tenant.metadata.name}`])
    const kept = set.filter((manifest) => manifest !== gone)
    const owned = (await watched.everything()).filter(
      ({ metadata }) => metadata.labels?.['kustomize.toolkit.fluxcd.io/name'] === 'fleet',
    )
    const stale = owned.filter((live) => !kept.some((manifest) => pathOf(manifest) === pathOf(live)))
    expect(stale.map(({ metadata }) => metadata.name)).toEqual(['agency'])
    for (const live of stale) {
      const body = { propagationPolicy: 'Background', preconditions: { uid: live.metadata.uid } }
      expect(await plane.ask('DELETE', pathOf(live), body)).toMatchObject({ status: 200 })
    }
    expect(await fluxRun(plane, kept)).toEqual([])
    await fluxRun(plane, set)
  })
})

describe('as Argo CD applies', () => {
  it('DF5 tracks by annotation, by its own manager, and writes nothing the second time', async () => {
    const set = fluxSet().map((manifest) => ({
      ...manifest,
      metadata: {
        ...manifest.metadata,
        annotations: { 'argocd.argoproj.io/tracking-id': `fleet:${manifest.kind}/${manifest.metadata.name}` },
      },
    }))
    for (const manifest of set)
      expect((await apply(plane, manifest, { manager: 'argocd-controller' })).status).toBeLessThan(300)
    const before = await watched.settle()
    for (const manifest of set) {
      const dry = await apply(plane, manifest, { manager: 'argocd-controller', isDry: true })
      const real = await apply(plane, manifest, { manager: 'argocd-controller' })
      expect([dry.object, real.object]).toEqual([real.object, dry.object])
    }
    expect(await watched.settle()).toEqual(before)
    // Both tools own what both apply: neither conflicts, and Flux sees no drift.
    for (const manifest of fluxSet())
      expect((await apply(plane, manifest, { manager: 'kustomize-controller', force: false })).status).toBe(200)
    expect(await watched.settle()).toEqual(before)
  })
})

describe.skipIf(KUBECTLS.length === 0).each(KUBECTLS)('as %s applies', (kubectl) => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gitops-'))
    for (const tenant of TENANTS) {
      const text = manifestsOf(tenant).map((manifest) => stringify(manifest))
      await writeFile(join(folder, `${tenant}.yaml`), text.join('---\n'))
    }
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  const run = async (args: string): Promise<{ readonly code: number; readonly out: string }> => {
    const { code, out, err } = await runWith(kubectl, args.split(' '), {
      kubeconfig: join(plane.folder, 'kubeconfig'),
      home: folder,
      env: { KUBECTL_APPLYSET: 'true' },
      timeoutMs: 60_000,
    })
    return { code, out: out + err }
  }
  const ok = async (args: string): Promise<string> => {
    const { code, out } = await run(args)
    expect(`${code} ${out}`).toMatch(/^0 /)
    return out
  }

  it.each(TENANTS)(
    'DF5 applies %s on the server, sees no difference after, and writes nothing again',
    async (tenant) => {
      const file = join(folder, `${tenant}.yaml`)
      await ok(`apply --server-side --force-conflicts -f ${file}`)
      const before = await watched.settle()
      await ok(`diff --server-side --force-conflicts -f ${file}`)
      await ok(`apply --server-side --force-conflicts -f ${file}`)
      expect(await watched.settle()).toEqual(before)
    },
  )

  it('DF5 prunes by an apply set what left it, and writes nothing again', async () => {
    const all = manifestsOf('acme-corp')
    const set = join(folder, 'set.yaml')
    const write = (manifests: readonly Manifest[]): Promise<void> =>
      writeFile(set, manifests.map((manifest) => stringify(manifest)).join('---\n'))
    const users = all.filter(({ kind }) => kind === 'User')
    const args = `apply --server-side --force-conflicts --prune --applyset=secrets/fleet -n acme-corp -f ${set}`
    await write(users)
    await ok(args)
    const before = await watched.settle()
    await ok(args)
    expect(await watched.settle()).toEqual(before)
    await write(users.filter(({ metadata }) => metadata.name !== 'agency'))
    expect(await ok(args)).toContain('user.sprites.highera.com/agency pruned')
    await write(users)
    await ok(args)
  })

  it.each(TENANTS)('DF5 applies %s from the client, and again without a change', async (tenant) => {
    const file = join(folder, `${tenant}.yaml`)
    await ok(`apply -f ${file}`)
    const before = await watched.settle()
    expect(await ok(`apply -f ${file}`)).not.toMatch(/configured|created/)
    await ok(`diff -f ${file}`)
    expect(await watched.settle()).toEqual(before)
  })
})
