// One time-skipping server for the recordings of a test file, or of each test.
import { afterAll, afterEach, beforeAll, beforeEach, inject } from 'vitest';
import { createRecordingEnv, type RecordingEnv, type RecordingEnvOptions } from './recording-env.ts';

/** Call once at the top of a test file. @param eachTest a server for each: one whose child workflows outlive their parent stands still */
export function useRecordings({
  eachTest,
  ...options
}: Pick<RecordingEnvOptions, 'maxCachedWorkflows'> & { eachTest?: boolean } = {}): Pick<RecordingEnv, 'start' | 'env'> {
  let recordings: RecordingEnv;
  (eachTest ? beforeEach : beforeAll)(async () => {
    const [serverPath, bundlePath] = [inject('timeSkippingServer'), inject('workflowBundle')];
    recordings = await createRecordingEnv({ serverPath, bundlePath, ...options });
  });
  if (!eachTest) afterEach(() => recordings?.endOpen());
  (eachTest ? afterEach : afterAll)(() => recordings?.close());
  return {
    start: (...args) => recordings.start(...args),
    get env() {
      return recordings.env;
    },
  };
}
