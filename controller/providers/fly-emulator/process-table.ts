/** Looks at the machine's own processes: whether one lives, since when, and which carries a marker in its environment. */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

/**
 * When the process started, in the system's own words; undefined when it does not live (or is a zombie). Equal words
 * for one pid mean the same process: pids are used again, start times are not.
 */
export function startedAt(pid: number): string | undefined {
  const stat = procStat(pid)
  if (stat !== undefined) return stat.state === 'Z' || stat.state === 'X' ? undefined : stat.startTicks
  return hasProc() ? undefined : startedAtByPs(pid)
}

/** Leaders of process groups whose environment holds this line; empty where the system has no /proc. */
export function groupLeadersWith(environmentLine: string): number[] {
  return processIds().filter((pid) => {
    if (procStat(pid)?.groupId !== pid) return false
    const environment = readProc(pid, 'environ')
    return environment !== undefined && environment.split('\0').includes(environmentLine)
  })
}

/** Sends a signal to a process group; false when none of it is left. */
export function signalGroup(leader: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(-leader, signal)
    return true
  } catch (error) {
    // EPERM is what some systems say of a group of which only a zombie is left.
    if (isNodeError(error) && (error.code === 'ESRCH' || error.code === 'EPERM')) return false
    throw error
  }
}

type ProcStat = { readonly state: string; readonly groupId: number; readonly startTicks: string }

/** Fields 3, 5 and 22 of /proc/<pid>/stat; the name in field 2 may hold spaces and brackets. */
function procStat(pid: number): ProcStat | undefined {
  const text = readProc(pid, 'stat')
  const fields = text?.slice(text.lastIndexOf(')') + 2).split(' ')
  const [state, groupId, startTicks] = [fields?.[0], fields?.[2], fields?.[19]]
  if (state === undefined || groupId === undefined || startTicks === undefined) return undefined
  return { state, groupId: Number(groupId), startTicks }
}

function readProc(pid: number, file: 'stat' | 'environ'): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    // Gone, or another user's: not ours either way.
    return undefined
  }
}

function processIds(): number[] {
  try {
    return readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : []))
  } catch {
    return []
  }
}

const hasProc = (): boolean => processIds().length > 0

function startedAtByPs(pid: number): string | undefined {
  try {
    const words = execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: 2_000,
    })
    return words.trim() || undefined
  } catch {
    return undefined
  }
}

const isNodeError = (error: unknown): error is NodeJS.ErrnoException => error instanceof Error && 'code' in error
