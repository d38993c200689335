// Every main story again without a cache of workflows: each task replays the whole history, so what is not deterministic breaks.
import { expect, it } from 'vitest';
import { play, SCENARIOS } from '../support/scenarios.ts';
import { useRecordings } from '../support/use-recordings.ts';

const recordings = useRecordings({ maxCachedWorkflows: 0 });

it.each(Object.entries(SCENARIOS))('%s', async (_, scenario) => {
  expect((await (await play(recordings, scenario)).view()).stage).toBe(scenario.ends);
});
