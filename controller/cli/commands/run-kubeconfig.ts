/** Runs `spritectl kubeconfig`. */
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { kubeconfigText, readKubeconfig } from '../../server/kubeconfig.ts'
import { connectionFrom, kubeconfigPath, type Connection } from '../api/connection.ts'
import type { CliContext } from '../context.ts'
import { CliFailure } from '../failure.ts'
import { argoSecret, fluxSecret } from '../gitops-secrets.ts'
import { yamlText } from '../output.ts'
import type { KubeconfigFlags } from './kubeconfig.ts'

/** Runs `spritectl kubeconfig`. */
export async function runKubeconfig(context: CliContext, flags: KubeconfigFlags): Promise<void> {
  const isAsked = [flags.tokenFile, flags.user, flags.namespace, flags.name].some((flag) => flag !== undefined)
  const format = flags.format ?? (isAsked ? 'kubeconfig' : 'shell')
  if (format === 'shell') return printShellLine(context, flags, isAsked)
  const name = nameOf(flags)
  const connection = await connectionOf(context, flags)
  warnOfLoopback(context, connection, format)
  const { user, namespace } = flags
  const text = kubeconfigText(connection, { name, ...(user === undefined ? {} : { user }) })
  const secret = format === 'argocd' ? argoSecret(connection, name, namespace) : fluxSecret(text, name)
  context.process.stdout.write(format === 'kubeconfig' ? text : yamlText(secret))
}

async function printShellLine(context: CliContext, flags: KubeconfigFlags, isAsked: boolean): Promise<void> {
  if (isAsked)
    throw new CliFailure('Usage', 'Leave the other flags out with --format shell: it names the file that is there')
  const path = resolve(kubeconfigPath(flags))
  const { server } = await readKubeconfig(path)
  context.process.stdout.write(`# ${server}\nexport KUBECONFIG='${path.replaceAll("'", String.raw`'\''`)}'\n`)
}

/** Argo CD and Flux call a Secret so. */
const NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/

function nameOf({ name = 'sprites' }: KubeconfigFlags): string {
  if (NAME.test(name)) return name
  throw new CliFailure('Usage', `Name it in lower-case letters, digits and dashes, such as fleet: got "${name}"`)
}

/** Where the API is, with the token of the file instead of the administrator's own. */
async function connectionOf(context: CliContext, flags: KubeconfigFlags): Promise<Connection> {
  const { tokenFile, namespace } = flags
  if (tokenFile !== undefined && flags.token !== undefined)
    throw new CliFailure('Usage', 'Name either --token or --token-file, not both')
  const token = tokenFile === undefined ? undefined : await tokenIn(context, tokenFile)
  const connection = await connectionFrom(flags)
  return {
    ...connection,
    ...(token === undefined ? {} : { token }),
    ...(namespace === undefined ? {} : { namespace }),
  }
}

async function tokenIn(context: CliContext, file: string): Promise<string> {
  const text = file === '-' ? await context.readStdin() : await textOf(file)
  const token = text.trim()
  if (/^[\x21-\x7e]{1,8192}$/.test(token)) return token
  throw new CliFailure('BadInput', `Find no token in "${file}": it has to hold one, and nothing else`)
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
    throw new CliFailure('BadInput', `Cannot read the token file "${file}" (${code})`, { cause: error })
  }
}

/** Argo CD and Flux run elsewhere. */
function warnOfLoopback(context: CliContext, { server }: Connection, format: string): void {
  const host = URL.parse(server)?.hostname ?? ''
  if (format === 'kubeconfig' || !/^(?:localhost|127\..*|\[::1\])$/.test(host)) return
  context.process.stderr.write(`${server} is reached from this machine alone: name another address with --server\n`)
}
