/** The entry point of spritectl: gives the commands the process that they run in, and sets its exit code. */
import { enableCompileCache } from 'node:module'
import { processContext } from './context.ts'

enableCompileCache()
const { runCli } = await import('./app.ts')
process.exitCode = await runCli(process.argv.slice(2), processContext())
