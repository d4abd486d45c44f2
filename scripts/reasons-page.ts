/** Writes docs/reasons.md: every reason of every kind, with its meaning, from the kinds' own catalogues. Pure. */
import type { KindDefinition } from '../controller/api/define-kind.ts'

const HEAD = `# Reasons

Each condition, blocker and event of an object has a \`reason\` from the catalogue of its kind: one word for machines that
does not change; the message beside it says what to do in this case. \`docs/operations.md\` says how to read them.
`

/** The page as Markdown; its first line says that it is generated. */
export function reasonsPage(kinds: readonly KindDefinition[], firstLine: string): string {
  const sections = kinds.filter((kind) => Object.keys(kind.reasons).length > 0).map(sectionOf)
  return [firstLine, HEAD, ...sections].join('\n')
}

function sectionOf(kind: KindDefinition): string {
  const rows = Object.entries(kind.reasons).map(([reason, meaning]) => `| \`${reason}\` | ${cell(meaning)} |`)
  return `## ${kind.kind}\n\n| reason | meaning |\n|---|---|\n${rows.join('\n')}\n`
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ')
