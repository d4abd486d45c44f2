/** The wall clock of another process, which a test sets: libfaketime, as Debian has it. Its monotonic clock stays true. */
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const LIBRARIES = ['x86_64', 'aarch64'].map((machine) => `/usr/lib/${machine}-linux-gnu/faketime/libfaketime.so.1`)
const LIBRARY = LIBRARIES.find((path) => existsSync(path))

/** Whether clocks can be set here. */
export const canSetClocks = LIBRARY !== undefined

/** A clock that is right until it is set; the process that has it looks once a second where it stands. */
export class WallClock {
  readonly #file: string

  /** `folder` is where it may keep a file. */
  constructor(folder: string) {
    this.#file = join(folder, 'wall-clock')
    this.set(0)
  }

  /** By how many seconds it is ahead from now on; behind where that is negative. */
  set(aheadSeconds: number): void {
    writeFileSync(this.#file, `${aheadSeconds < 0 ? '' : '+'}${aheadSeconds}\n`)
  }

  /** What the process is to be started with. */
  get environment(): Readonly<Record<string, string>> {
    if (LIBRARY === undefined) return {}
    return {
      LD_PRELOAD: LIBRARY,
      FAKETIME_TIMESTAMP_FILE: this.#file,
      FAKETIME_CACHE_DURATION: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    }
  }
}
