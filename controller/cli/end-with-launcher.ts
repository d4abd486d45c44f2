/** Ends this process when the launcher of bin/ that started it is gone: a kill -9 of that is passed on by nobody. */
import { Socket } from 'node:net'
import process from 'node:process'

/** `PID:FD`: who launched, and where its end of a pipe is; set by bin/runtime.mjs. */
const VARIABLE = 'SPRITECTL_LAUNCHER'

/** Then it is as after SIGTERM. Does nothing where no launcher is the parent; keeps no process alive. */
export function endWithLauncher(variables: Readonly<Record<string, string | undefined>>): void {
  const [pid, fd] = (variables[VARIABLE] ?? '').split(':').map(Number)
  // Whoever inherited the variable from further up has another parent, and something else at that number.
  if (fd === undefined || pid !== process.ppid) return
  const pipe = new Socket({ fd, readable: true, writable: false })
  pipe.once('close', () => process.kill(process.pid, 'SIGTERM'))
  // It closes then as well.
  pipe.on('error', () => {})
  pipe.resume()
  pipe.unref()
}
