import { defineConfig } from 'vitest/config';

// One process per test file: a native crash or a lost device then takes one file with it, and environment variables stay apart.
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: ['default'],
  },
});
