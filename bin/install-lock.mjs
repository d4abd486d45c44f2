/** Lets one process of many install at a time; a lock that a killed process left is taken over, never deleted under one that lives. */
import { mkdir, readdir, rename, rmdir, stat, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const LOOK_EVERY_MS = 300
/** A lock folder without an owner is one that is being taken; for no longer than that. */
const OWNERLESS_MS_MAX = 10_000
/** An install takes seconds; whoever holds the lock for longer has lost its process number to another. */
const HELD_MS_MAX = 30 * 60_000

const OWNER = /^owner-(\d+)$/

/** Runs `work` while no other process does so for this folder. */
export async function withInstallLock(root, work) {
  // Beside node_modules, which npm ci removes.
  const folder = join(root, '.install-lock')
  const mine = join(folder, `owner-${process.pid}`)
  let isTold = false
  while (!(await take(folder, mine))) {
    if (!isTold) process.stderr.write('Another process installs the dependencies: waiting for it …\n')
    isTold = true
    await sleep(LOOK_EVERY_MS)
  }
  try {
    return await work()
  } finally {
    await release(folder, mine)
  }
}

async function release(folder, mine) {
  await unlink(mine).catch(() => {})
  await unlink(join(folder, '.gitignore')).catch(() => {})
  await rmdir(folder).catch(() => {})
}

/** Whether the lock is ours now. */
async function take(folder, mine) {
  try {
    await mkdir(folder)
  } catch (error) {
    if (error.code !== 'EEXIST') throw error
    return takeOver(folder, mine)
  }
  try {
    await writeFile(mine, '')
    await writeFile(join(folder, '.gitignore'), '*\n')
    return true
  } catch (error) {
    // Taken for ownerless and removed before we wrote our name: try again.
    if (error.code === 'ENOENT') return false
    throw error
  }
}

/** Takes a lock whose owner is gone. Renaming the owner's file is atomic: of many that try, one wins. */
async function takeOver(folder, mine) {
  const names = await readdir(folder).catch(() => [])
  const owner = names.find((name) => OWNER.test(name))
  const held = await stat(owner === undefined ? folder : join(folder, owner)).catch(() => undefined)
  if (held === undefined) return false
  const ageMs = Date.now() - held.mtimeMs
  if (owner === undefined) {
    if (ageMs > OWNERLESS_MS_MAX) await release(folder, mine)
    return false
  }
  if (isAlive(Number(OWNER.exec(owner)?.[1])) && ageMs < HELD_MS_MAX) return false
  const isOurs = await rename(join(folder, owner), mine).then(
    () => true,
    () => false,
  )
  // Renaming keeps the old time, by which the next would take it from us.
  if (isOurs) await writeFile(mine, '')
  return isOurs
}

function isAlive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}
