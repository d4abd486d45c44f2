/** Finds which process listens on a port, where the system tells: Linux's /proc. */
import { readdir, readFile, readlink } from 'node:fs/promises'
import { join } from 'node:path'

/** The process that listens on a port. */
export type PortHolder = { readonly pid: number; readonly command: string }

/** State of a listening socket in /proc/net/tcp. */
const LISTEN = '0A'
/** Processes that are looked at, at most. */
const PROCESSES_MAX = 20_000

/** Inodes of the sockets that listen on a port, from the text of /proc/net/tcp or tcp6. Pure. */
export function listenersIn(table: string, port: number): readonly string[] {
  const wanted = port.toString(16).toUpperCase().padStart(4, '0')
  return table
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((columns) => columns[1]?.endsWith(`:${wanted}`) === true && columns[3] === LISTEN)
    .flatMap((columns) => (columns[9] === undefined ? [] : [columns[9]]))
}

/** Undefined where it cannot be known: another system, or a process of another user. */
export async function portHolder(port: number, root = '/proc'): Promise<PortHolder | undefined> {
  const tables = await Promise.all(
    ['tcp', 'tcp6'].map((name) => readFile(join(root, 'net', name), 'utf8').catch(() => '')),
  )
  const sockets = new Set(tables.flatMap((table) => listenersIn(table, port)).map((inode) => `socket:[${inode}]`))
  if (sockets.size === 0) return undefined
  const names = await readdir(root).catch(() => [])
  for (const pid of names.filter((name) => /^\d+$/.test(name)).slice(0, PROCESSES_MAX))
    if (await holds(join(root, pid, 'fd'), sockets)) return { pid: Number(pid), command: await commandOf(root, pid) }
  return undefined
}

async function holds(folder: string, sockets: ReadonlySet<string>): Promise<boolean> {
  const files = await readdir(folder).catch(() => [])
  for (const file of files) if (sockets.has(await readlink(join(folder, file)).catch(() => ''))) return true
  return false
}

/** Its command line, cut to what fits into a message. */
async function commandOf(root: string, pid: string): Promise<string> {
  const text = await readFile(join(root, pid, 'cmdline'), 'utf8').catch(() => '')
  const words = text
    .split('\0')
    .filter((word) => word !== '')
    .join(' ')
  const shown = Array.from(words)
    .filter((char) => char >= ' ' && char !== '\u007f')
    .join('')
  return shown.length <= 100 ? shown : `${shown.slice(0, 99)}…`
}
