/** Notes the calls of a port and how they ended: what a failing seed is understood by. */

/** The same port, with each call of these verbs and its end noted. */
export function traced<T extends object>(port: T, note: (line: string) => void, verbs: readonly string[]): T {
  return new Proxy(port, {
    get: (target, name) => {
      // Every property that is a function is called on its own object, as the port would.
      const value = Reflect.get(target, name, target) as unknown
      if (typeof value !== 'function') return value
      if (!verbs.includes(String(name))) return value.bind(target) as unknown
      return async (...args: unknown[]) => {
        const text = `${String(name)} ${textOf(args)}`
        try {
          const result = (await value.apply(target, args)) as unknown
          note(text)
          return result
        } catch (error) {
          note(`${text} FAILED ${String(error)}`)
          throw error
        }
      }
    },
  })
}

const textOf = (args: readonly unknown[]): string =>
  JSON.stringify(args.filter((arg) => !(arg instanceof AbortSignal)).map((arg) => (isKind(arg) ? arg.kind : arg)))

const isKind = (value: unknown): value is { readonly kind: string; readonly plural: string } =>
  typeof value === 'object' && value !== null && 'plural' in value
