/** Writes a file as a whole or not at all: temporary file, fsync, rename. */
import process from 'node:process'
import { open, rename, rm } from 'node:fs/promises'

/** Replaces `file` by `text` with the given mode, at once; a crash leaves the old file. Rejects with node's error. */
export async function writeFileAtomically(
  file: string,
  text: string,
  options: { readonly mode: number },
): Promise<void> {
  // Beside the file: rename is atomic within one file system only.
  const temporary = `${file}.${process.pid}.tmp`
  try {
    const handle = await open(temporary, 'w', options.mode)
    try {
      await handle.writeFile(text)
      // The umask may have taken bits away, never added any; chmod makes the mode exact.
      await handle.chmod(options.mode)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(temporary, file)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}
