import { defineConfig } from 'vitest/config';

/** They cut something at a millisecond, or count on the three seconds that LiveKit waits for an answer. */
const ALONE = ['dispatch-cuts', 'frozen-worker', 'intake-cuts', 'takeover', 'differential/differential'].map(
  (name) => `test/e2e/${name}.test.ts`,
);

/** What waits for real processes on a busy machine has a second try; the runner names each that needed it. */
const SECOND_TRY = 1;

// unit: pure, no process. workflows: time-skipping server. contract and e2e: real stacks; end to end two files at a time,
// because they wait for most of their time. Groups run one after another.
export default defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', include: ['test/unit/**/*.test.ts'], pool: 'threads' } },
      {
        test: {
          name: 'workflows',
          include: ['test/workflows/**/*.test.ts'],
          pool: 'forks',
          globalSetup: ['test/support/time-skipping.ts'],
          sequence: { groupOrder: 1 },
          testTimeout: 120_000,
          // The server's clock stands still at times; the second try has a server of its own.
          retry: SECOND_TRY,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'contract',
          include: ['test/contract/**/*.test.ts'],
          pool: 'forks',
          maxWorkers: 1,
          sequence: { groupOrder: 2 },
          retry: SECOND_TRY,
          testTimeout: 600_000,
          hookTimeout: 600_000,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          exclude: ALONE,
          pool: 'forks',
          maxWorkers: 2,
          sequence: { groupOrder: 3 },
          retry: SECOND_TRY,
          testTimeout: 600_000,
          hookTimeout: 600_000,
        },
      },
      {
        test: {
          name: 'e2e-alone',
          include: ALONE,
          pool: 'forks',
          maxWorkers: 1,
          sequence: { groupOrder: 4 },
          retry: SECOND_TRY,
          testTimeout: 600_000,
          hookTimeout: 600_000,
        },
      },
    ],
  },
});
