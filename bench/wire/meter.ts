/** What this process has used: CPU and memory. */

/** CPU of this process so far, user and system, in ms. */
export function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

/** Heap and buffers in use after a garbage collection, in MiB; needs --expose-gc. */
export function heapMb(): number {
  for (let round = 0; round < 3; round++) globalThis.gc?.()
  const { heapUsed, external } = process.memoryUsage()
  return (heapUsed + external) / 1024 / 1024
}
