// One time-skipping server for the recordings of a test file.
import { afterAll, afterEach, beforeAll, inject } from 'vitest';
import { createRecordingEnv, type RecordingEnv, type RecordingEnvOptions } from './recording-env.ts';

/** Call once at the top of a test file. */
export function useRecordings(
  options: Pick<RecordingEnvOptions, 'maxCachedWorkflows'> = {},
): Pick<RecordingEnv, 'start' | 'env'> {
  let recordings: RecordingEnv;
  beforeAll(async () => {
    const [serverPath, bundlePath] = [inject('timeSkippingServer'), inject('workflowBundle')];
    recordings = await createRecordingEnv({ serverPath, bundlePath, ...options });
  });
  afterEach(() => recordings?.endOpen());
  afterAll(() => recordings?.close());
  return {
    start: (...args) => recordings.start(...args),
    get env() {
      return recordings.env;
    },
  };
}
