// The main stories of a recording, each as a script and what happens from outside. Their histories are committed and replayed,
// and each is run without a cache of workflows, which replays it at every task.
import type { RecordingRequestInput } from '../../src/recording/request.ts';
import type { Stage } from '../../src/recording/stage.ts';
import {
  AMBIGUOUS,
  MINUTE_MS,
  NO_CAPACITY,
  REFUSED,
  type RecordingEnv,
  type RecordingRun,
  ROOM_MISSING,
  type Script,
} from './recording-env.ts';

export interface Scenario {
  ends: Stage;
  script?: Script;
  request?: Partial<RecordingRequestInput>;
  drive?: (run: RecordingRun) => Promise<unknown>;
}

const endsByItself: Script = { inspectRoom: () => ({ room: 'gone' }) };
const endsWhenStopped: Script = {
  stopPart: async (_, __, run) => {
    await run.webhook(run.complete('StopEgress API'));
  },
};

export const SCENARIOS: Record<string, Scenario> = {
  completed: {
    ends: 'completed',
    script: endsByItself,
    drive: async (run) => {
      await run.becomesActive();
      await run.sleep(60 * MINUTE_MS);
      await run.webhook(run.complete('Source closed'));
    },
  },
  'waited-for-a-boot': {
    ends: 'completed',
    script: { ...endsByItself, startPart: (_, { admitted }) => (admitted ? undefined : NO_CAPACITY) },
    request: { startWithin: '1h' },
    drive: async (run) => {
      await run.until(({ stage }) => stage === 'waiting');
      await run.sleep(30 * MINUTE_MS);
      await run.admit();
      await run.becomesActive();
      await run.webhook(run.complete('Source closed'));
    },
  },
  expired: { ends: 'expired', script: { startPart: () => NO_CAPACITY } },
  'room-never-appeared': { ends: 'expired', script: { startPart: () => ROOM_MISSING }, request: { startWithin: '2m' } },
  refused: { ends: 'failed', script: { startPart: () => REFUSED } },
  'room-ended-while-waiting': {
    ends: 'expired',
    script: { startPart: () => NO_CAPACITY, inspectRoom: () => ({ room: 'gone' }) },
    drive: async (run) => {
      await run.until(({ stage }) => stage === 'waiting');
      await run.look('room_finished');
    },
  },
  'ambiguous-and-found': {
    ends: 'completed',
    script: { ...endsByItself, startPart: () => AMBIGUOUS, findPart: (_, __, run) => run.snapshot('STARTING') },
    drive: async (run) => {
      await run.becomesActive();
      await run.webhook(run.complete('Source closed'));
    },
  },
  'ambiguous-and-tried-again': {
    ends: 'completed',
    script: { ...endsByItself, startPart: (call) => (call === 1 ? AMBIGUOUS : undefined) },
    drive: async (run) => {
      await run.until(({ stage }) => stage === 'waiting');
      await run.admit();
      await run.becomesActive(1, 2);
      await run.webhook(run.snapshot('ACTIVE', { attempt: 1 }));
      await run.untilCalled('stopPart');
      await run.webhook(run.complete('Source closed', { attempt: 2 }));
    },
  },
  'next-part': {
    ends: 'completed',
    drive: async (run) => {
      await run.becomesActive();
      await run.sleep(5 * MINUTE_MS);
      await run.webhook(run.complete('CPU exhausted'));
      await run.becomesActive(2);
      await run.webhook(run.complete('StopEgress API', { part: 2 }));
    },
  },
  'worker-lost': {
    ends: 'completed',
    script: {
      inspectPart: (call, _, run) =>
        call > 2 ? undefined : { egress: run.snapshot('ACTIVE'), room: 'alive', inRoom: false, onWorker: 'no' },
    },
    drive: async (run) => {
      await run.becomesActive();
      await run.sleep(5 * MINUTE_MS);
      await run.look('no worker shows it');
      await run.untilCalled('inspectPart');
      await run.sleep(10_000);
      await run.becomesActive(2);
      await run.webhook(run.complete('StopEgress API', { part: 2 }));
    },
  },
  'max-duration': {
    ends: 'completed',
    script: endsWhenStopped,
    request: { maxDuration: '1h' },
    drive: (run) => run.becomesActive(),
  },
  extended: {
    ends: 'completed',
    script: endsWhenStopped,
    request: { maxDuration: '10m' },
    drive: async (run) => {
      await run.becomesActive();
      await run.extend({ byMs: 10 * MINUTE_MS });
      await run.extendBySignal({ byMs: -1 });
    },
  },
  cancelled: {
    ends: 'cancelled',
    script: endsWhenStopped,
    drive: async (run) => {
      await run.becomesActive();
      await run.cancel();
    },
  },
  'cancelled-while-starting': {
    ends: 'cancelled',
    script: endsWhenStopped,
    drive: async (run) => {
      run.hold('startPart');
      await run.untilCalled('startPart');
      await run.cancelBySignal();
      run.release('startPart');
    },
  },
  'webhook-of-the-user': {
    ends: 'completed',
    script: endsByItself,
    request: { webhookUrl: 'https://example.com/hook' },
    drive: async (run) => {
      await run.becomesActive();
      await run.webhook(run.complete('Source closed'));
    },
  },
};

/** Runs one story to its end. */
export async function play(recordings: RecordingEnv, scenario: Scenario): Promise<RecordingRun> {
  const run = await recordings.start(scenario.script, scenario.request);
  await scenario.drive?.(run);
  const view = await run.result();
  if (view.stage !== scenario.ends) throw new Error(`ended as ${view.stage}, not ${scenario.ends}`);
  return run;
}
