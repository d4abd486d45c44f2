/** Runs `spritectl validate`. */
import type { CliContext } from '../context.ts'
import { jsonText } from '../output.ts'
import { counted, problemLine } from '../text.ts'
import { validatePaths, type Validation } from '../validate.ts'
import type { ValidateFlags } from './validate.ts'

/** Runs `spritectl validate`. */
export async function runValidate(context: CliContext, flags: ValidateFlags, ...paths: string[]): Promise<void> {
  const { stdout, stderr } = context.process
  const { namespace } = flags
  const found = await validatePaths({ paths, namespace, nowMs: context.clock.now(), readStdin: context.readStdin })
  context.process.exitCode = found.problems.length > 0 ? 1 : 0
  if (flags.output === 'json') {
    stdout.write(jsonText({ valid: found.problems.length === 0, ...found }))
    return
  }
  for (const problem of found.problems) stderr.write(problemLine(problem))
  for (const tenant of found.absentTenants)
    stderr.write(`Note: tenant "${tenant}" is not among the files: what it allows was not checked\n`)
  stdout.write(summaryOf(found))
}

function summaryOf({ problems, objects, personas }: Validation): string {
  const checked =
    personas === 0 ? counted(objects, 'object') : `${counted(objects, 'object')}, ${counted(personas, 'persona')}`
  return problems.length === 0 ? `Valid: ${checked}\n` : `Not valid: ${counted(problems.length, 'problem')}\n`
}
