/** Reads Markdown, and what only resembles it, into sections of items and sentences. Pure. */
import { topicOf, type Topic } from './topics.ts'

/** A part of a text: its heading, what it is about, its list items and its paragraphs. */
export type Section = {
  readonly heading: string
  readonly topic: Topic | undefined
  readonly items: readonly string[]
  readonly prose: readonly string[]
}

type Open = { heading: string; topic: Topic | undefined; items: string[]; prose: string[]; isLabel: boolean }

const LINES_MAX = 2_000
const LINE_CHARS = 2_000

const opened = (heading: string, topic: Topic | undefined, isLabel: boolean): Open => ({
  heading,
  topic,
  items: [],
  prose: [],
  isLabel,
})

/** The sections of a text in order; what stands before the first has heading ''. A label `Goal: …` opens one too. */
export function sectionsOf(text: string): Section[] {
  const sections: Open[] = [opened('', undefined, false)]
  let last: 'item' | 'prose' | 'none' = 'none'
  let isCode = false
  const lines = text.split('\n', LINES_MAX).map((line) => line.slice(0, LINE_CHARS).trim())
  for (const [index, line] of lines.entries()) {
    const current = sections.at(-1) ?? opened('', undefined, false)
    if (line.startsWith('```')) isCode = !isCode
    if (isCode || line.startsWith('```') || /^[-=_*]{3,}$/.test(line)) continue
    if (line === '') {
      last = 'none'
      if (current.isLabel && current.items.length + current.prose.length > 0) sections.push(resumed(sections))
      continue
    }
    const heading = headingIn(line, lines[index + 1])
    if (heading !== undefined) {
      sections.push(...headed(heading, sections.length === 1))
      last = 'none'
      continue
    }
    if (line.startsWith('|') && isRule(lines[index + 1])) {
      // A table's head says what its rows are about.
      const head = plain(line.replaceAll('|', ' '))
      sections.push(opened(head, topicOf(head) ?? current.topic, true))
      continue
    }
    if (line.startsWith('|') && isRule(line)) continue
    const item = itemIn(line)
    const label = labelIn(item ?? line)
    if (label !== undefined) {
      const before = resumed(sections)
      sections.push({ ...opened(label.name, label.topic, true), prose: label.rest === '' ? [] : [label.rest] })
      if (item !== undefined) sections.push(before)
      last = label.rest === '' || item !== undefined ? 'none' : 'prose'
      continue
    }
    last = add(current, { item, line, last })
  }
  return sections.filter(({ heading, items, prose }) => heading !== '' || items.length + prose.length > 0)
}

function add(
  current: Open,
  { item, line, last }: { readonly item: string | undefined; readonly line: string; readonly last: string },
): 'item' | 'prose' {
  const target = item === undefined && last !== 'item' ? current.prose : current.items
  const text = plain(item ?? line)
  // A line goes on with the item or the paragraph before it.
  if (item === undefined && last !== 'none' && target.length > 0) target.push(`${target.pop() ?? ''} ${text}`)
  else target.push(text)
  return target === current.items ? 'item' : 'prose'
}

/** The section that goes on after a label's own lines: the newest that a heading has opened. */
function resumed(sections: readonly Open[]): Open {
  const before = sections.findLast((section) => !section.isLabel)
  return opened(before?.heading ?? '', before?.topic, false)
}

/** A heading's section; `Goal: 500 by May` as a heading has a text already. */
function headed({ name, level }: { readonly name: string; readonly level: number }, isFirst: boolean): Open[] {
  const colon = name.indexOf(':')
  const label = colon > 0 ? name.slice(0, colon) : name
  const isTitle = isFirst && level === 1 && label.split(' ').length > 3
  const topic = isTitle ? undefined : topicOf(label)
  const rest = topic === undefined || colon < 0 ? '' : name.slice(colon + 1).trim()
  return [{ ...opened(rest === '' ? name : label, topic, false), prose: rest === '' ? [] : [rest] }]
}

function headingIn(line: string, next: string | undefined): { name: string; level: number } | undefined {
  const atx = /^(#{1,6})\s+(.{1,200})/.exec(line)
  if (atx) return { name: plain(atx[2] ?? ''), level: atx[1]?.length ?? 1 }
  if (line.length > 120) return undefined
  if (next !== undefined && /^(?:={3,}|-{3,})$/.test(next))
    return { name: plain(line), level: next.startsWith('=') ? 1 : 2 }
  const bold = /^(?:\*\*|__)([^*_]{1,80})(?:\*\*|__):?$/.exec(line)?.[1]
  if (bold !== undefined) return { name: bold.replace(/:$/, ''), level: 2 }
  // A short line of its own that names a topic, as people write in plain mails.
  const alone =
    /^[^.!?,;:|#>*-][^.!?,;:|]{1,40}[:?]?$/.test(line) &&
    (next === undefined || next === '' || itemIn(next) !== undefined)
  const name = line.replace(/[:?]$/, '')
  return alone && name.split(' ').length <= 5 && topicOf(name) !== undefined ? { name, level: 2 } : undefined
}

/** The line of dashes below a table's head. */
const isRule = (line: string | undefined): boolean =>
  line !== undefined && /^[|:\s-]{3,}$/.test(line) && line.includes('|')

/** A list item's text, or a table's row as one; undefined for any other line. */
function itemIn(line: string): string | undefined {
  const item = /^(?:[-*+•–]|\d{1,3}[.)])\s+(\S.*)$/.exec(line)?.[1]
  if (item !== undefined) return item
  if (!line.startsWith('|')) return undefined
  const cells = line
    .split('|')
    .map((cell) => cell.trim())
    .filter((cell) => cell !== '')
  if (cells.every((cell) => /^:?-{1,}:?$/.test(cell))) return undefined
  return `${cells[0] ?? ''}: ${cells.slice(1).join(', ')}`
}

function labelIn(line: string): { name: string; topic: Topic; rest: string } | undefined {
  const text = plain(line.slice(0, LINE_CHARS))
  const colon = text.indexOf(':')
  if (colon < 2 || colon > 40) return undefined
  const name = text.slice(0, colon).trim()
  // "The trial: three sensors" states a fact; "Audience: …" names a part of the brief.
  if (name.split(' ').length > 4 || /\d/.test(name) || /^(?:the|our|a|an) /i.test(name)) return undefined
  const topic = topicOf(name)
  return topic === undefined ? undefined : { name, topic, rest: text.slice(colon + 1).trim() }
}

const ABBREVIATED = /(?:^|[\s(])(?:Dr|Mr|Mrs|Ms|St|No|Nr|ca|vs|Inc|Ltd|Co|bzw|z\.\s?B|e\.g|i\.e|approx|[A-Z])\.$/

/** The sentences of a paragraph, in order. */
export function sentencesOf(text: string): string[] {
  const found: string[] = []
  for (const piece of text.slice(0, 60_000).split(/(?<=[.!?]["”']?)\s+(?=[\p{Lu}\d“"'‘„«])/u)) {
    const before = found.at(-1)
    // A date such as "9. Februar" and an abbreviation do not end a sentence.
    if (
      before !== undefined &&
      before.length < 400 &&
      (ABBREVIATED.test(before.slice(-12)) || /(?:^|\s)\d{1,2}\.$/.test(before.slice(-4)))
    )
      found.push(`${found.pop() ?? ''} ${piece}`)
    else found.push(piece)
  }
  return found.map((one) => one.trim()).filter((one) => one.length > 2)
}

/** All that a section says, item by item and sentence by sentence. */
export const statementsOf = ({ items, prose }: Section): string[] => [
  ...prose.flatMap((paragraph) => sentencesOf(paragraph)),
  ...items,
]

/** A text in one line without the marks of emphasis, code and links. */
export const plain = (text: string): string =>
  text
    .replace(/\[([^[\]]{1,200})\]\([^()]{1,500}\)/g, '$1')
    .replace(/\*{1,3}|`{1,3}|__/g, '')
    .split(/\s+/)
    .join(' ')
    .trim()
