/** The entry point of spritectl: gives the commands the process that they run in, and sets its exit code. */
import { enableCompileCache } from 'node:module'
import { realClock } from '../../system/clock.ts'
import { environmentVariables } from '../config.ts'
import { processContext } from './context.ts'
import { endWithLauncher } from './end-with-launcher.ts'

/** The longest that a timer takes; by then whatever still runs has sockets of its own. */
const STAY_MS = 2 ** 31 - 1

endWithLauncher(environmentVariables())
enableCompileCache()
const { runCli } = await import('./app.ts')
// A client that waits between two tries to connect holds nothing open: without this the process would end, mutely.
const leave = realClock.after(STAY_MS, () => {})
process.exitCode = await runCli(process.argv.slice(2), processContext()).finally(leave)
