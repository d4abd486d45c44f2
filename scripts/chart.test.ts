/** Tests of the chart: what it renders to is whole, fits together, and asks for no more rights than are used. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { GROUP, VERSION } from '../controller/api/define-kind.ts'
import { readEnvironment } from '../controller/config.ts'
import { KINDS } from '../controller/kinds/kinds.ts'
import { askedOf, isAllowedBy, type RightsRole } from '../test/cluster/rights.ts'
import { chartScope, renderedChart } from './chart-files.ts'
import { renderTemplate } from './render-chart.ts'

const ROOT = path.resolve(import.meta.dirname, '..')

type Manifest = RightsRole & {
  readonly apiVersion: string
  readonly spec?: Record<string, unknown>
  readonly roleRef?: { readonly kind: string; readonly name: string }
  readonly subjects?: readonly { readonly name: string; readonly namespace: string }[]
}
type Container = {
  readonly args: readonly string[]
  readonly env: readonly { readonly name: string; readonly value: string }[]
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[]
  readonly volumeMounts: readonly { readonly name: string }[]
  readonly securityContext: object
}
type PodSpec = {
  readonly serviceAccountName: string
  readonly containers: readonly [Container]
  readonly volumes: readonly { readonly name: string }[]
  readonly securityContext: object
}

const CLUSTER = { layout: { cluster: true, aggregated: false } }
const AGGREGATED = {
  layout: { cluster: false, aggregated: true },
  tlsSecret: 'sprites-tls',
  persistence: { enabled: false },
}

function render(over: object = {}): readonly Manifest[] {
  const scope = chartScope(ROOT)
  const texts = renderedChart(ROOT, { ...scope, Values: { ...(scope.Values as object), ...over } })
  return [...texts].flatMap(([file, text]) =>
    parseAllDocuments(text, { version: '1.1' }).map((document) => {
      expect(document.errors.map(({ message }) => `${file}: ${message}`)).toEqual([])
      return document.toJS() as Manifest
    }),
  )
}

const of = (manifests: readonly Manifest[], kind: string): readonly Manifest[] =>
  manifests.filter((one) => one.kind === kind)
const podOf = (manifests: readonly Manifest[]): PodSpec => {
  const spec = of(manifests, 'Deployment')[0]?.spec as { template: { spec: PodSpec } }
  return spec.template.spec
}

describe.each([
  ['objects in the cluster', CLUSTER],
  ['objects in the cluster, with Redis', { ...CLUSTER, replicas: 3, persistence: { enabled: false } }],
  ['objects in the cluster, with few rights', { ...CLUSTER, rights: { namespaces: false, tenantSecrets: false } }],
  ['our API behind the cluster’s', AGGREGATED],
])('the chart: %s', (_name, values) => {
  test('CH1 renders to whole manifests, each of its own name', () => {
    const manifests = render(values)
    for (const { apiVersion, kind, metadata } of manifests)
      expect([apiVersion, kind, metadata.name]).not.toContain(undefined)
    const names = manifests.map(({ kind, metadata }) => `${kind} ${metadata.namespace ?? ''} ${metadata.name}`)
    expect(new Set(names).size).toBe(names.length)
  })

  test('CH2 what refers to something refers to what is there', () => {
    const manifests = render(values)
    const pod = podOf(manifests)
    const [container] = pod.containers
    expect(of(manifests, 'ServiceAccount').map(({ metadata }) => metadata.name)).toEqual([pod.serviceAccountName])
    expect(pod.volumes.map(({ name }) => name)).toEqual(container.volumeMounts.map(({ name }) => name))
    const deployment = of(manifests, 'Deployment')[0]?.spec as {
      selector: { matchLabels: object }
      template: { metadata: { labels: object } }
    }
    expect(deployment.template.metadata.labels).toMatchObject(deployment.selector.matchLabels)
    const service = of(manifests, 'Service')[0]?.spec as { selector: object; ports: { targetPort: string }[] }
    expect(deployment.template.metadata.labels).toMatchObject(service.selector)
    for (const { targetPort } of service.ports) expect(container.ports.map(({ name }) => name)).toContain(targetPort)
    const roles = manifests
      .filter(({ kind }) => kind.endsWith('Role'))
      .map(({ kind, metadata }) => `${kind} ${metadata.name}`)
    for (const { roleRef, subjects } of manifests.filter(({ kind }) => kind.endsWith('Binding'))) {
      if (roleRef?.name !== 'extension-apiserver-authentication-reader')
        expect(roles).toContain(`${roleRef?.kind} ${roleRef?.name}`)
      expect(subjects).toEqual([{ kind: 'ServiceAccount', name: pod.serviceAccountName, namespace: 'sprites-system' }])
    }
  })

  test('CH3 its settings are settings, and the process can start with them', () => {
    const [container] = podOf(render(values)).containers
    const settings = Object.fromEntries(container.env.map(({ name, value }) => [name, value]))
    const secret = {
      CONTROL_PLANE_ID: 'cp-0123456789ab',
      MASTER_KEY: '0'.repeat(64),
      FLY_API_TOKEN: 'fm2_x',
      FIRESTORE_PROJECT: 'p',
      REDIS_URL: 'redis://r',
    }
    const environment = readEnvironment({ ...secret, ...settings })
    for (const [name, value] of Object.entries(settings)) expect(environment).toHaveProperty([name], value)
  })

  test('CH4 the process is nobody, and writes to its volume alone', () => {
    const pod = podOf(render(values))
    expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } })
    const [{ securityContext }] = pod.containers
    expect(securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    })
  })

  test('CH5 no right is for everything, and no Secret is ever listed', () => {
    const rules = render(values).flatMap(({ rules: own = [] }) => own)
    for (const rule of rules) {
      expect([...rule.apiGroups, ...rule.resources, ...rule.verbs].filter((word) => word.includes('*'))).toEqual([])
      if (rule.resources.some((resource) => resource.startsWith('secrets'))) {
        expect(rule.verbs).not.toContain('list')
        expect(rule.verbs).not.toContain('watch')
      }
    }
  })
})

test('CH5 every kind of ours may be read, and its status written; nothing of a spec of people’s is', () => {
  const roles = render(CLUSTER)
  const may = (verb: string, resource: string): boolean =>
    isAllowedBy(roles, { verb, group: GROUP, resource, namespace: 'acme' })
  for (const { plural } of KINDS) {
    for (const verb of ['get', 'list', 'watch'])
      expect(`${verb} ${plural} ${may(verb, plural)}`).toBe(`${verb} ${plural} true`)
    expect(`${plural} ${may('patch', `${plural}/status`)}`).toBe(`${plural} true`)
  }
  const named = roles.flatMap(({ rules = [] }) =>
    rules.filter(({ apiGroups }) => apiGroups.includes(GROUP)).flatMap(({ resources }) => resources),
  )
  const known = new Set(KINDS.flatMap(({ plural }) => [plural, `${plural}/status`, `${plural}/finalizers`]))
  expect(named.filter((resource) => !known.has(resource))).toEqual([])
  for (const plural of ['tenants', 'users', 'personas', 'accesstokens', 'projects'])
    for (const verb of ['create', 'update'])
      expect(`${verb} ${plural} ${may(verb, plural)}`).toBe(`${verb} ${plural} false`)
})

test('CH6 behind another API server it asks for no right but to know its front proxy', () => {
  const manifests = render(AGGREGATED)
  expect(manifests.filter(({ kind }) => kind.endsWith('Role'))).toEqual([])
  expect(of(manifests, 'RoleBinding').map(({ metadata }) => metadata.namespace)).toEqual(['kube-system'])
  const [service] = of(manifests, 'APIService')
  expect(service?.metadata.name).toBe(`${VERSION}.${GROUP}`)
  expect(service?.spec).toMatchObject({ group: GROUP, version: VERSION, service: { name: 'sprites', port: 443 } })
  expect(of(render(CLUSTER), 'APIService')).toEqual([])
})

test('CH10 the chart runs the image as it is: the same command, ports and folder', () => {
  const dockerfile = readFileSync(path.join(ROOT, 'Dockerfile'), 'utf8')
  const target = dockerfile.slice(dockerfile.indexOf('FROM runtime AS controller'))
  const command = JSON.parse(/^CMD (\[.*\])$/m.exec(target)?.[1] ?? '[]') as string[]
  const exposed = (/^EXPOSE (.*)$/m.exec(target)?.[1] ?? '').split(' ').map(Number)
  for (const values of [CLUSTER, AGGREGATED]) {
    const [container] = podOf(render(values)).containers
    expect(container.args).toEqual(expect.arrayContaining(command))
    expect(container.ports.map(({ containerPort }) => containerPort)).toEqual(exposed)
    expect(container.volumeMounts[0]).toMatchObject({ name: 'data', mountPath: '/data' })
  }
  expect(command).toContain('--data=/data')
  expect(target).toMatch(/^COPY --from=build --chown=65532:65532 \/data \/data$/m)
})

test('CH7 templates say only what this renderer knows', () => {
  const scope = { Values: { a: { b: '1', on: true, off: false, list: [1] } }, Chart: {} }
  expect(renderTemplate('x: {{ .Values.a.b | quote }}\ny: {{ .Values.a.list | toJson }}', scope)).toBe('x: "1"\ny: [1]')
  expect(
    renderTemplate('{{- if .Values.a.on }}\nx\n{{- if not .Values.a.on }}\ny\n{{- end }}\n{{- end }}', scope),
  ).toBe('x')
  for (const bad of [
    '{{ range .Values.a.list }}',
    '{{ .Values.none }}',
    '{{ .Values.a.list }}',
    '{{- if .Values.a.on }}',
    '{{- end }}',
    '{{ .Values.constructor }}',
  ])
    expect(() => renderTemplate(bad, scope)).toThrow()
})

test('CH8 a request is read in RBAC’s words', () => {
  const asked = (line: string) => askedOf(line) ?? {}
  expect(asked('GET /apis/g/v1/things?watch=true')).toEqual({
    verb: 'watch',
    group: 'g',
    resource: 'things',
    namespace: '',
  })
  expect(asked('PATCH /apis/g/v1/namespaces/n/things/t/status?x=1')).toMatchObject({
    verb: 'patch',
    resource: 'things/status',
    namespace: 'n',
  })
  expect(asked('GET /api/v1/namespaces/n')).toMatchObject({
    verb: 'get',
    group: '',
    resource: 'namespaces',
    namespace: '',
  })
  expect(asked('DELETE /api/v1/namespaces/n/secrets/s')).toMatchObject({
    verb: 'delete',
    resource: 'secrets',
    namespace: 'n',
  })
  expect(asked('POST /apis/g/v1/namespaces/n/things')).toMatchObject({
    verb: 'create',
    resource: 'things',
    namespace: 'n',
  })
})
