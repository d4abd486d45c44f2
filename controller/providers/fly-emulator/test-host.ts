/** Runs an emulator with real processes in a process of its own, for the end-to-end test that kills it. */
import { realClock } from '../../../system/clock.ts'
import { realEntropy } from '../../../system/entropy.ts'
import { createFlyEmulator } from './fly-emulator.ts'
import { createProcessRunner } from './process-runner.ts'

const [databasePath, logFolder, script] = process.argv.slice(2)
const runner = createProcessRunner({
  command: () => ({ file: process.execPath, args: [script ?? ''] }),
  logFolder: logFolder ?? '',
  clock: realClock,
})
const emulator = createFlyEmulator({ databasePath, clock: realClock, entropy: realEntropy, runner })
process.stdout.write(`${await emulator.listen()}\n`)
