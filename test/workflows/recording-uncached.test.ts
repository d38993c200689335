// Every main story again without a cache of workflows: each task replays the whole history, so what is not deterministic breaks.
import { afterAll, afterEach, beforeAll, expect, inject, it } from 'vitest';
import { createRecordingEnv, type RecordingEnv } from '../support/recording-env.ts';
import { play, SCENARIOS } from '../support/scenarios.ts';

let recordings: RecordingEnv;
beforeAll(async () => {
  recordings = await createRecordingEnv({
    serverPath: inject('timeSkippingServer'),
    bundlePath: inject('workflowBundle'),
    maxCachedWorkflows: 0,
  });
});
afterEach(() => recordings?.endOpen());
afterAll(() => recordings?.close());

it.each(Object.entries(SCENARIOS))('%s', async (_, scenario) => {
  expect((await (await play(recordings, scenario)).view()).stage).toBe(scenario.ends);
});
