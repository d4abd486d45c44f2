/** Puts the health scripts under examples/gitops together as the ConfigMap that Argo CD reads them from. */
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { stringify } from 'yaml'
import type { KindDefinition } from '../controller/api/define-kind.ts'

const FOLDER = path.resolve(import.meta.dirname, '../examples/gitops/argocd/health')

/** The script for a kind: its own part, where it has one, before the part that all kinds share. */
export function healthScript(kind: string): string {
  const own = path.join(FOLDER, `${kind}.lua`)
  const shared = readFileSync(path.join(FOLDER, 'conditions.lua'), 'utf8')
  return existsSync(own) ? `${readFileSync(own, 'utf8')}\n${shared}` : shared
}

/** The text of argocd-cm.yaml with one script a kind. */
export function argocdConfigMap(kinds: readonly KindDefinition[], firstLine: string): string {
  const scripts = kinds.map((kind) => [
    `resource.customizations.health.${kind.group}_${kind.kind}`,
    healthScript(kind.kind),
  ])
  const configMap = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name: 'argocd-cm',
      namespace: 'argocd',
      labels: { 'app.kubernetes.io/name': 'argocd-cm', 'app.kubernetes.io/part-of': 'argocd' },
    },
    data: Object.fromEntries(scripts),
  }
  return `${firstLine}${stringify(configMap, { lineWidth: 0, blockQuote: 'literal' })}`
}
