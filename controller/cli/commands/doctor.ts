/** `spritectl doctor`: checks what a control plane needs, before its first start or while it runs. */
import { buildCommand } from '@stricli/core'
import { withContext, type CliContext } from '../context.ts'
import { connectionFlags, jsonFlag } from '../flags.ts'

/** The flags of `spritectl doctor`. */
export type DoctorFlags = {
  readonly data: string
  readonly kubeconfig?: string
  readonly server?: string
  readonly token?: string
  readonly output: 'text' | 'json'
}

/** `spritectl doctor`. */
export const doctorCommand = buildCommand<DoctorFlags, [], CliContext>({
  loader: async () => withContext((await import('./run-doctor.ts')).runDoctor),
  parameters: { flags: { ...connectionFlags, output: jsonFlag }, aliases: { o: 'output' } },
  docs: {
    brief: 'Check settings, data folder, certificates, store, Redis, Fly and the image; exit 1 where something fails',
    fullDescription: [
      'One line a check: ok, warn (it works, but not as it should) or fail, and what to do. It reads the settings of this',
      'environment (FLY_API_TOKEN, FLY_ORG, FLY_REGIONS, SPRITE_IMAGE, …), changes nothing, and needs no control plane.',
      '',
      'Examples:',
      '  spritectl doctor',
      '  spritectl doctor --data /var/lib/sprites -o json',
    ].join('\n'),
  },
})
