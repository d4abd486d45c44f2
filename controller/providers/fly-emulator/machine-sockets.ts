/** The emulator's /.fly/api: one Unix socket a machine, by which its process reaches its own API without a token. */
import { chmodSync, mkdirSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { join } from 'node:path'
import type { Log } from '../../../system/log.ts'
import { replyTo } from './listen.ts'

/** The sockets of machines that run. */
export interface MachineSockets {
  /** Opens the machine's socket; gives its path, or undefined where none can be had. */
  open(machineId: string): string | undefined
  shut(machineId: string): void
  close(): Promise<void>
}

/** What a socket's path may be long, on the systems that we know. */
const PATH_BYTES_MAX = 103

/** Sockets in a folder of their own; without a folder there are none. */
export function createMachineSockets(
  folder: string | undefined,
  log: Log,
  serve: (machineId: string, request: Request) => Promise<Response>,
): MachineSockets {
  const servers = new Map<string, Server>()
  const endings = new Set<Promise<void>>()
  const shut = (machineId: string): void => {
    const server = servers.get(machineId)
    if (!server) return
    servers.delete(machineId)
    const ending = new Promise<void>((resolve) => server.close(() => resolve())).finally(() => endings.delete(ending))
    endings.add(ending)
    server.closeAllConnections()
  }
  if (folder !== undefined) mkdirSync(folder, { recursive: true, mode: 0o700 })
  return {
    open: (machineId) => {
      const path = folder === undefined ? undefined : join(folder, machineId)
      if (path === undefined || servers.has(machineId)) return path
      if (Buffer.byteLength(path) > PATH_BYTES_MAX) {
        log.warn({ machine: machineId, path }, 'path of the machine socket is too long')
        return undefined
      }
      rmSync(path, { force: true })
      const server = createServer(
        (incoming, outgoing) => void replyTo((request) => serve(machineId, request), incoming, outgoing),
      )
      server.on('error', (error) => log.warn({ machine: machineId, error: error.message }, 'machine socket failed'))
      server.listen(path, () => chmodSync(path, 0o600))
      server.unref()
      servers.set(machineId, server)
      return path
    },
    shut,
    close: async () => {
      for (const machineId of servers.keys()) shut(machineId)
      await Promise.all(endings)
    },
  }
}
