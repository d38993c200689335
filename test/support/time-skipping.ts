// Once for all workflow tests: the time-skipping server's binary and one bundle of the workflows, as paths for the test files.
import { pino } from 'pino';
import type { TestProject } from 'vitest/node';
import { ensureComponents } from '../../src/dev/components.ts';
import { reportToStderr } from '../../src/dev/reporter.ts';
import { loadWorkflowBundle } from '../../src/temporal/workflow-bundle.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    timeSkippingServer: string;
    workflowBundle: string;
  }
}

export default async function setup(project: TestProject): Promise<void> {
  const [components, bundle] = await Promise.all([
    ensureComponents(['temporal-test-server'], reportToStderr),
    loadWorkflowBundle(pino({ level: 'silent' })),
  ]);
  if (!('codePath' in bundle)) throw new Error('the workflow bundle is not a file');
  project.provide('timeSkippingServer', components['temporal-test-server']);
  project.provide('workflowBundle', bundle.codePath);
}
