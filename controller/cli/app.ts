/** The commands of spritectl, and how their failures become one line and an exit code. */
import { buildApplication, buildRouteMap, proposeCompletions, run, text_en, type ApplicationText } from '@stricli/core'
import { drainCommand, reviewRoutes, wakeCommand } from './commands/act.ts'
import { applyCommand } from './commands/apply.ts'
import { auditRoutes } from './commands/audit.ts'
import { deleteCommand } from './commands/delete.ts'
import { describeCommand } from './commands/describe.ts'
import { doctorCommand } from './commands/doctor.ts'
import { flyEmulatorCommand } from './commands/fly-emulator.ts'
import { getCommand } from './commands/get.ts'
import { logsCommand } from './commands/logs.ts'
import { backupCommand, migrateCommand, restoreCommand } from './commands/move.ts'
import { planCommand } from './commands/plan.ts'
import { kubeconfigCommand } from './commands/kubeconfig.ts'
import { completionCommand, versionCommand } from './commands/small.ts'
import { tokenRoutes } from './commands/token.ts'
import { serveCommand, upCommand } from './commands/up.ts'
import { validateCommand } from './commands/validate.ts'
import { waitCommand } from './commands/wait.ts'
import { workRoutes } from './commands/work-submit.ts'
import { COMPLETE_COMMAND } from './completion.ts'
import type { CliContext } from './context.ts'
import { exitCodeOf, explain } from './explain.ts'
import { versionText } from './version.ts'

const routes = buildRouteMap({
  routes: {
    up: upCommand,
    serve: serveCommand,
    apply: applyCommand,
    validate: validateCommand,
    plan: planCommand,
    get: getCommand,
    describe: describeCommand,
    logs: logsCommand,
    wait: waitCommand,
    work: workRoutes,
    review: reviewRoutes,
    wake: wakeCommand,
    drain: drainCommand,
    delete: deleteCommand,
    token: tokenRoutes,
    kubeconfig: kubeconfigCommand,
    audit: auditRoutes,
    migrate: migrateCommand,
    backup: backupCommand,
    restore: restoreCommand,
    doctor: doctorCommand,
    flyEmulator: flyEmulatorCommand,
    version: versionCommand,
    completion: completionCommand,
  },
  docs: {
    brief: 'A control plane for fleets of AI agent workers, and its client',
    fullDescription:
      'Declare tenants, projects, sprites and work as YAML; the control plane converges.\nStart one with `spritectl up`, then `spritectl apply -f examples`.',
  },
})

const text: ApplicationText = {
  ...text_en,
  exceptionWhileParsingArguments: (error) => `${messageOf(error)}; see --help`,
  exceptionWhileLoadingCommandFunction: (error) => explain(error),
  exceptionWhileLoadingCommandContext: (error) => explain(error),
  exceptionWhileRunningCommand: (error) => explain(error),
  commandErrorResult: (error) => explain(error),
  noCommandRegisteredForInput: ({ input, corrections }) =>
    `Unknown command "${input}"${corrections.length === 0 ? '' : `, did you mean ${corrections.join(' or ')}?`}; see spritectl --help`,
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** The application; one for all runs, it holds no state. */
export const app = buildApplication<CliContext>(routes, {
  name: 'spritectl',
  versionInfo: { getCurrentVersion: () => Promise.resolve(versionText()) },
  scanner: { caseStyle: 'allow-kebab-for-camel' },
  documentation: { caseStyle: 'convert-camel-to-kebab', useAliasInUsageLine: true, onlyRequiredInUsageLine: true },
  determineExitCode: exitCodeOf,
  localization: { text },
})

/** Exit codes below 0 are the parser's own: they all mean that the command line was wrong. */
const isUsage = (code: number): boolean => code < 0 || code > 128

/** Runs one command line; gives its exit code: 0 done, 1 failed, 2 the command line is wrong. */
export async function runCli(args: readonly string[], context: CliContext): Promise<number> {
  if (args[0] === COMPLETE_COMMAND) return complete(args.slice(1), context)
  const own = { ...context, process: { ...pick(context), exitCode: undefined as number | string | null | undefined } }
  await run(app, args, own as never)
  const code = Number(own.process.exitCode ?? 0)
  return isUsage(code) ? 2 : code
}

/** Prints what may follow, one proposal a line. */
async function complete(words: readonly string[], context: CliContext): Promise<number> {
  const proposals = await proposeCompletions(app, words, context as never)
  for (const { completion } of proposals) context.process.stdout.write(`${completion}\n`)
  return 0
}

const pick = ({ process: { stdout, stderr, env } }: CliContext) => ({ stdout, stderr, env })
