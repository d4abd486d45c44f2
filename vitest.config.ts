/** The test projects: `unit` runs everything that needs no outside service, `e2e` starts real processes. */
import { defineConfig } from 'vitest/config'

const common = {
  environment: 'node' as const,
  testTimeout: 20_000,
  hookTimeout: 30_000,
  setupFiles: ['test/setup.ts'],
}

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          ...common,
          name: 'unit',
          include: ['{system,protocol,controller,sprite,personas,scripts}/**/*.test.ts', 'test/*.test.ts'],
          exclude: ['**/*.e2e.test.ts'],
        },
      },
      {
        test: {
          ...common,
          name: 'e2e',
          include: ['**/*.e2e.test.ts'],
          exclude: ['node_modules/**'],
          testTimeout: 120_000,
          // Some wait for their turn at a server that has fixed ports.
          hookTimeout: 180_000,
          // They wait for processes and leases more than they work.
          maxWorkers: 3,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
})
