/** Argo CD's and Flux's health checks over one recorded object of every state, held against kstatus. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { Environment } from '@marcbachmann/cel-js'
import { describe, expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import type { KubeObject } from '../controller/api/object.ts'
import { KINDS } from '../controller/kinds/kinds.ts'
import { healthScript } from '../scripts/argocd-health.ts'
import { kstatusOf } from './gitops/kstatus.ts'
import { runHealthScript } from './gitops/lua.ts'

const ROOT = path.resolve(import.meta.dirname, '..')
const read = (file: string): string => readFileSync(path.join(ROOT, file), 'utf8')

const recorded: [string, KubeObject][] = Object.entries(
  JSON.parse(read('test/gitops/objects.json')) as Record<string, KubeObject>,
)
const inState = (state: string): KubeObject => {
  const found = recorded.find(([name]) => name === state)?.[1]
  if (found === undefined) throw new Error(`No object is recorded in state ${state}`)
  return found
}

const argocd = (object: KubeObject) => runHealthScript(healthScript(object.kind), object)

type Check = { readonly kind: string; readonly inProgress: string; readonly failed: string; readonly current: string }
type Kustomization = { readonly spec: { readonly healthCheckExprs?: readonly Check[] } }
const kustomizations = parseAllDocuments(read('examples/gitops/flux/kustomization.yaml')).map(
  (document) => document.toJS() as Kustomization,
)
const checks = new Map(
  kustomizations.flatMap(({ spec }) => spec.healthCheckExprs ?? []).map((check) => [check.kind, check]),
)

const cel = new Environment({ unlistedVariablesAreDyn: true })
const evaluate = (expression: string, object: KubeObject): boolean =>
  cel.evaluate(expression, { metadata: object.metadata, spec: object.spec, status: object.status }) === true

/** As Flux's evaluator: an old observedGeneration, then inProgress, failed, current; none of them is in progress. */
function fluxStatus(object: KubeObject): 'InProgress' | 'Failed' | 'Current' {
  const check = checks.get(object.kind)
  if (check === undefined) throw new Error(`No health check for ${object.kind}`)
  if (evaluate(check.inProgress, object)) return 'InProgress'
  if (evaluate(check.failed, object)) return 'Failed'
  return evaluate(check.current, object) ? 'Current' : 'InProgress'
}

describe('health checks', () => {
  test('GH1 every kind has a state before and after its controller has seen it, a health script and an expression', () => {
    for (const { kind } of KINDS) {
      const states = recorded.filter(([, object]) => object.kind === kind)
      expect(states.length, kind).toBeGreaterThan(1)
      expect(checks.has(kind), kind).toBe(true)
    }
    expect(recorded.length).toBeGreaterThan(80)
    expect(read('examples/gitops/argocd/argocd-cm.yaml').match(/^ {2}resource\.customizations\.health/gm)).toHaveLength(
      KINDS.length,
    )
  })

  test('GH2 every phase of every kind is among the recorded states', () => {
    for (const kind of KINDS) {
      const status = JSON.stringify(kind.status.toJSONSchema({ io: 'input', unrepresentable: 'any' }))
      const { properties } = JSON.parse(status) as { properties: { phase?: { enum: readonly string[] } } }
      const met = new Set(recorded.flatMap(([, { kind: of, status: is }]) => (of === kind.kind ? [phaseOf(is)] : [])))
      for (const phase of properties.phase?.enum ?? []) expect([...met], `${kind.kind} ${phase}`).toContain(phase)
    }
  })

  test.each(recorded)('GH3 %s: Argo CD says what kstatus says', (state, object) => {
    const { status, message } = argocd(object)
    const waitsForSomebody = /^(Work InReview|Review Open .*AwaitingPerson)/.test(state) && !/stale|new/.test(state)
    const isSuspended = / Suspended/.test(state) && !/stale|new/.test(state)
    const isCancelled = state.startsWith('Work Cancelled')
    const expected =
      waitsForSomebody || isSuspended || isCancelled
        ? 'Suspended'
        : { Current: 'Healthy', InProgress: 'Progressing', Failed: 'Degraded', Terminating: 'Progressing' }[
            kstatusOf(object)
          ]
    expect(status).toBe(expected)
    if (status !== 'Healthy') expect(message).not.toBe('')
  })

  test.each(recorded.filter(([, object]) => object.metadata.deletionTimestamp === undefined))(
    'GH4 %s: Flux says what kstatus says',
    (state, object) => {
      const isDone =
        state.startsWith('Work Cancelled') || (state.includes('AwaitingPerson') && !/stale|new/.test(state))
      expect(fluxStatus(object)).toBe(isDone ? 'Current' : kstatusOf(object))
    },
  )

  test('GH5 a failed task, a full plan and a running sprite are told apart', () => {
    expect(argocd(inState('Work Failed Ready=False AttemptsExhausted stalled')).status).toBe('Degraded')
    expect(argocd(inState('Sprite Queued Ready=False Queued reconciling'))).toMatchObject({ status: 'Progressing' })
    expect(argocd(inState('Sprite Queued Ready=False Queued reconciling')).message).toContain('position')
    expect(argocd(inState('Sprite Working Ready=True Running')).status).toBe('Healthy')
    expect(argocd(inState('Sprite Stopped Ready=True Asleep')).status).toBe('Healthy')
  })

  test('GH6 a script that fails is not taken for an answer', () => {
    expect(() => runHealthScript('return obj.nothing.here', {})).toThrow(/nil/)
  })
})

const phaseOf = (status: unknown): string | undefined => (status as { readonly phase?: string } | undefined)?.phase
