/** What is wrong with a machine spec before Fly is asked: guests that Fly does not sell, secrets in the clear, names out of shape. Pure. */
import type { MachineSpec } from '../machines.ts'

/** Sizes that Fly sells: counts of CPUs, and MiB by kind of CPU. */
const GUESTS = {
  shared: { cpus: [1, 2, 4, 6, 8], stepMb: 256, minMb: 256, maxMbPerCpu: 2_048 },
  performance: { cpus: [1, 2, 4, 6, 8, 10, 12, 14, 16, 32, 64, 128], stepMb: 1_024, minMb: 2_048, maxMbPerCpu: 8_192 },
} as const

/** The sprite's own boot token: bound to its incarnation, and all that env may hold of secrets. */
const BOOT_TOKEN = 'SPRITE_TOKEN'
const SECRET_NAME = /TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL|PRIVATE|API_?KEY|ACCESS_?KEY/i
/** Forms that keys of known services have, whatever the variable is called. */
const SECRET_VALUE =
  /^(?:sk-ant-|fm[12][a-z]?_|FlyV1 |AKIA[0-9A-Z]{16}|ghp_|github_pat_|xox[abp]-)|-----BEGIN [A-Z ]*PRIVATE KEY-----/
const NAME = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/

/** Sentences of what is wrong; none is a spec that may be sent. Values of env are never in them. */
export function specFaults(spec: MachineSpec): readonly string[] {
  return [...nameFaults(spec), ...guestFaults(spec.guest), ...envFaults(spec.env), ...lifeFaults(spec)]
}

const nameFaults = ({ name }: MachineSpec): string[] =>
  NAME.test(name) ? [] : [`the machine's name is "${name}": give lower case letters, digits and dashes, at most 63`]

function guestFaults({ cpuKind, cpus, memoryMb }: MachineSpec['guest']): string[] {
  const sold = GUESTS[cpuKind]
  const counts: readonly number[] = sold.cpus
  if (!counts.includes(cpus)) return [`${cpus} ${cpuKind} CPUs are not sold: choose ${counts.join(', ')}`]
  const maxMb = cpus * sold.maxMbPerCpu
  const fits = memoryMb >= sold.minMb && memoryMb <= maxMb && memoryMb % sold.stepMb === 0
  const range = `${sold.minMb} to ${maxMb} MiB in steps of ${sold.stepMb}`
  return fits ? [] : [`${memoryMb} MiB do not go with ${cpus} ${cpuKind} CPUs: choose ${range}`]
}

function envFaults(env: MachineSpec['env']): string[] {
  return Object.entries(env)
    .filter(([name, value]) => name !== BOOT_TOKEN && (SECRET_NAME.test(name) || SECRET_VALUE.test(value)))
    .map(([name]) => `env "${name}" looks like a secret, and Fly shows env to whoever may read the machine`)
}

const lifeFaults = ({ regions, image, stopTimeoutSeconds }: MachineSpec): string[] => [
  ...(regions.length === 0 ? ['no region is named'] : []),
  ...(image.trim() === '' ? ['no image is named'] : []),
  ...(stopTimeoutSeconds >= 1 && stopTimeoutSeconds <= 300 ? [] : ['a stop takes from 1 to 300 s']),
]

/** Whether an image is named by what it holds, so that it is the same tomorrow. */
export const isPinned = (image: string): boolean => /@sha256:[0-9a-f]{64}$/.test(image)
