// One time-skipping server for the recordings of a test file, or of each test.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, inject } from 'vitest';
import { createRecordingEnv, type RecordingEnv, type RecordingEnvOptions } from './recording-env.ts';

const CLOSE_MS = 10_000;

/** Call once at the top of a test file. @param eachTest a server for each: one whose child workflows outlive their parent stands still */
export function useRecordings({
  eachTest,
  ...options
}: Pick<RecordingEnvOptions, 'maxCachedWorkflows'> & { eachTest?: boolean } = {}): Pick<RecordingEnv, 'start' | 'env'> {
  let recordings: RecordingEnv;
  const open = async () => {
    const [serverPath, bundlePath] = [inject('timeSkippingServer'), inject('workflowBundle')];
    recordings = await createRecordingEnv({ serverPath, bundlePath, ...options });
  };
  (eachTest ? beforeEach : beforeAll)(open);
  if (!eachTest) {
    afterEach(async ({ task }) => {
      if (task.result?.state !== 'fail') return recordings?.endOpen();
      // Its clock may stand still for good, and with it every test that follows.
      await Promise.race([recordings.close().catch(() => undefined), sleep(CLOSE_MS)]);
      await open();
    });
  }
  (eachTest ? afterEach : afterAll)(() => recordings?.close());
  return {
    start: (...args) => recordings.start(...args),
    get env() {
      return recordings.env;
    },
  };
}
