/** Pure: what goes wrong in an emulator, as data: with requests, with machines; and the script that uses it up. */
import { z } from 'zod'
import { ACTIONS } from './actions.ts'

const DAY_MS = 86_400_000
const text = z.string().max(1_000)
const delayMs = z.int().min(0).max(DAY_MS)

/**
 * What goes wrong with a request.
 *  status            answers so before anything has happened (fail before commit);
 *  body              answers 200 with this text (HTML, truncated JSON) before anything has happened;
 *  reset             cuts the connection before anything has happened;
 *  loseReply         takes effect, then cuts the connection;
 *  statusAfterCommit takes effect, then answers so (the silent success);
 *  delay             takes effect after so many ms of the clock, then answers as usual;
 *  hang              takes no effect and never answers (until the emulator closes).
 */
const requestFaultSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('status'),
    status: z.int().min(400).max(599),
    error: text.optional(),
    code: text.optional(),
    headers: z.record(z.string().max(100), text).optional(),
  }),
  z.strictObject({ kind: z.literal('body'), text: z.string().max(1_000_000), contentType: text.optional() }),
  z.strictObject({ kind: z.enum(['reset', 'loseReply', 'hang']) }),
  z.strictObject({ kind: z.literal('statusAfterCommit'), status: z.int().min(400).max(599), error: text.optional() }),
  z.strictObject({ kind: z.literal('delay'), delayMs }),
])
/** What goes wrong with a request. */
export type EmulatorFault = Readonly<z.infer<typeof requestFaultSchema>>

const occurrence = {
  /** How many meet it; default 1. */
  times: z.int().min(1).max(1_000_000).optional(),
  /** How many that fit pass before the first meets it; default 0. */
  after: z.int().min(0).max(1_000_000).optional(),
  /** The share that meets it, drawn from the seed; default 1. */
  probability: z.number().min(0).max(1).optional(),
  app: text.optional(),
}

/** One line about requests: `action` is the route's, for example `createMachine`; `*` is every one. */
export const faultRuleSchema = z.strictObject({
  action: text.refine((action) => action === '*' || action === 'unknown' || ACTIONS.has(action), {
    error: ({ input }) => `there is no action "${String(input)}": give one of *, ${[...ACTIONS].join(', ')}`,
  }),
  fault: requestFaultSchema,
  machine: text.optional(),
  ...occurrence,
})
/** One line about requests. */
export type FaultRule = Readonly<z.infer<typeof faultRuleSchema>>

/** What a machine goes through; `run` begins when it has started. */
const PHASES = ['launch', 'boot', 'resume', 'suspend', 'update', 'restart', 'stop', 'destroy', 'run'] as const
/** What a machine goes through. */
export type MachinePhase = (typeof PHASES)[number]

/**
 * What goes wrong with a machine in a phase.
 *  slow   the phase takes so much longer (not stop, destroy, run);
 *  stuck  the phase never ends (not run);
 *  fail   it does not come up: launch ends in launch_failed, all others in failed (not stop, destroy, run);
 *  exit   some time after it has started its process ends so (run only).
 */
const machineFaultSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('slow'), delayMs }),
  z.strictObject({ kind: z.enum(['stuck', 'fail']) }),
  z.strictObject({
    kind: z.literal('exit'),
    afterMs: delayMs.default(0),
    code: z.int().min(0).max(255).optional(),
    signal: z.int().min(1).max(64).optional(),
    oom: z.boolean().optional(),
  }),
])
/** What goes wrong with a machine in a phase. */
export type MachineFault = Readonly<z.infer<typeof machineFaultSchema>>

/** Where each fault has a meaning; elsewhere it would never be met. */
const PHASES_OF: Readonly<Record<MachineFault['kind'], readonly MachinePhase[]>> = {
  slow: ['launch', 'boot', 'resume', 'suspend', 'update', 'restart'],
  stuck: ['launch', 'boot', 'resume', 'suspend', 'update', 'restart', 'stop', 'destroy'],
  fail: ['launch', 'boot', 'resume', 'suspend', 'update', 'restart'],
  exit: ['run'],
}

/** One line about machines; `name` is the beginning of theirs. */
export const machineRuleSchema = z
  .strictObject({
    on: z.enum(PHASES),
    fault: machineFaultSchema,
    name: text.optional(),
    region: text.optional(),
    ...occurrence,
  })
  .superRefine(({ on, fault: { kind } }, context) => {
    if (PHASES_OF[kind].includes(on)) return
    const message = `"${kind}" cannot happen in "${on}": give one of ${PHASES_OF[kind].join(', ')}`
    context.addIssue({ code: 'custom', path: ['on'], message })
  })
/** One line about machines. */
export type MachineRule = Readonly<z.infer<typeof machineRuleSchema>>

type Occurrence = {
  readonly times?: number | undefined
  readonly after?: number | undefined
  readonly probability?: number | undefined
}

/** Rules that are still to be met. */
export interface Script<Rule, Subject> {
  add(rule: Rule): void
  clear(): void
  /** What is left of them, in order. */
  rules(): readonly Rule[]
  /** The rule that this subject meets; it is used up by one. */
  draw(subject: Subject): Rule | undefined
}

/** Rules in order, the first that fits is met; `random` gives numbers in [0, 1). */
export function createScript<Rule extends Occurrence, Subject>(
  rules: readonly Rule[],
  random: () => number,
  fits: (rule: Rule, subject: Subject) => boolean,
): Script<Rule, Subject> {
  type Line = { readonly rule: Rule; passes: number; left: number }
  const lineOf = (rule: Rule): Line => ({ rule, passes: rule.after ?? 0, left: rule.times ?? 1 })
  let lines = rules.map(lineOf)
  return {
    add: (rule) => {
      lines.push(lineOf(rule))
    },
    clear: () => {
      lines = []
    },
    rules: () => lines.map((line) => line.rule),
    draw: (subject) => {
      for (const line of lines) {
        if (line.left <= 0 || !fits(line.rule, subject)) continue
        if (line.passes > 0) {
          line.passes--
          continue
        }
        if (line.rule.probability !== undefined && random() >= line.rule.probability) continue
        line.left--
        lines = lines.filter((other) => other.left > 0)
        return line.rule
      }
      return undefined
    },
  }
}

/** What a rule about requests is matched with. */
export type FaultSubject = {
  readonly action: string
  readonly app?: string | undefined
  readonly machine?: string | undefined
}

/** The rules about requests that are still to be met. */
export interface FaultScript {
  add(rule: FaultRule): void
  clear(): void
  rules(): readonly FaultRule[]
  /** The fault of one request; the first rule that applies is used up by one. */
  draw(subject: FaultSubject): EmulatorFault | undefined
}

/** A script that starts with these rules; `random` gives numbers in [0, 1). */
export function createFaultScript(rules: readonly FaultRule[], random: () => number): FaultScript {
  const script = createScript<FaultRule, FaultSubject>(rules, random, fitsRequest)
  return { ...script, draw: (subject) => script.draw(subject)?.fault }
}

const fitsRequest = (rule: FaultRule, subject: FaultSubject): boolean =>
  (rule.action === '*' || rule.action === subject.action) &&
  (rule.app === undefined || rule.app === subject.app) &&
  (rule.machine === undefined || rule.machine === subject.machine)

/** What a rule about machines is matched with. */
export type MachineSubject = {
  readonly phase: MachinePhase
  readonly app: string
  readonly name: string
  readonly region: string
}

/** Whether a rule is about this machine in this phase. */
export const fitsMachine = (rule: MachineRule, subject: MachineSubject): boolean =>
  rule.on === subject.phase &&
  (rule.app === undefined || rule.app === subject.app) &&
  (rule.name === undefined || subject.name.startsWith(rule.name)) &&
  (rule.region === undefined || rule.region === subject.region)
