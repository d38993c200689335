// The main stories of a recording and of a fleet, each as a script and what happens from outside. Their histories are committed
// and replayed; those of recordings are also run without a cache of workflows, which replays them at every task.
import { EMPTY_MEMORY } from '../../src/fleet/observation.ts';
import type { Stage } from '../../src/recording/stage.ts';
import { explainQuery, type FleetInput, kickSignal } from '../../src/workflows/messages.ts';
import type { FleetRun, PassScript } from './fleet-env.ts';
import {
  DECLINED,
  FULL,
  HOUR_MS,
  MINUTE_MS,
  NO_CAPACITY,
  once,
  REFUSED,
  type RecordingEnv,
  type RecordingRun,
  ROOM_MISSING,
  type Script,
  UNKNOWN,
  WORKER,
} from './recording-env.ts';

export interface Scenario {
  ends: Stage;
  script?: Script;
  request?: Parameters<RecordingEnv['start']>[1];
  drive?: (run: RecordingRun) => Promise<unknown>;
  /** The history of its delivery is kept, too, as `<name>-delivery`. */
  delivers?: boolean;
}

/** From a worker's answer until sound flows. */
const START_MS = 600;

const endsByItself: Script = { inspectRoom: () => ({ room: 'gone' }) };
const endsWhenStopped: Script = { stopPart: (_, { egressId }, run) => run.complete('StopEgress API', { egressId }) };

export const SCENARIOS: Record<string, Scenario> = {
  completed: {
    ends: 'completed',
    drive: async (run) => {
      await run.becomesActive(0, START_MS);
      await run.sleep(60 * MINUTE_MS);
      await run.report(run.complete('Source closed', { roomGone: true }));
    },
  },
  'began-asleep': {
    ends: 'completed',
    request: { startWithin: '1h', noRoom: 'no worker is ready' },
    drive: async (run) => {
      await run.until(({ stage }) => stage === 'waiting');
      await run.sleep(10 * MINUTE_MS);
      await run.admit();
      await run.becomesActive();
      await run.report(run.complete('Source closed', { roomGone: true }));
    },
  },
  'waited-for-a-boot': {
    ends: 'completed',
    script: { ...endsByItself, dispatch: FULL },
    request: { startWithin: '1h' },
    drive: async (run) => {
      await run.until(({ stage }) => stage === 'waiting');
      await run.sleep(30 * MINUTE_MS);
      await run.admit();
      await run.becomesActive();
      await run.report(run.complete('Source closed'));
    },
  },
  expired: { ends: 'expired', script: { dispatch: FULL } },
  'room-never-appeared': { ends: 'expired', script: { dispatch: () => ROOM_MISSING }, request: { startWithin: '2m' } },
  refused: { ends: 'failed', script: { dispatch: () => REFUSED } },
  'room-ended-while-waiting': {
    ends: 'expired',
    script: { dispatch: FULL, inspectRoom: () => ({ room: 'gone' }) },
    drive: async (run) => {
      await run.until(({ stage }) => stage === 'waiting');
      await run.look('room_finished');
    },
  },
  'unanswered-and-shown': {
    ends: 'completed',
    script: { ...endsByItself, dispatch: UNKNOWN },
    drive: async (run) => {
      run.hold('dispatch');
      await run.untilCalled('dispatch');
      await run.report(run.snapshot('ACTIVE', { startedAtMs: await run.now() }));
      run.release('dispatch');
      await run.until(({ stage }) => stage === 'recording');
      await run.report(run.complete('Source closed'));
    },
  },
  'unanswered-and-found': {
    ends: 'completed',
    script: { ...endsByItself, dispatch: UNKNOWN, findAttempt: () => ({ worker: WORKER }) },
    drive: async (run) => {
      await run.becomesActive();
      await run.report(run.complete('Source closed'));
    },
  },
  'unanswered-and-given-up': {
    ends: 'completed',
    script: { ...endsByItself, dispatch: once(UNKNOWN) },
    drive: async (run) => {
      await run.until(({ stage }) => stage === 'waiting');
      await run.admit();
      await run.becomesActive(1);
      await run.report(run.snapshot('ACTIVE'));
      await run.untilCalled('stopPart', 2);
      await run.report(run.complete('Source closed', { attempt: 1 }));
    },
  },
  declined: {
    ends: 'completed',
    script: { ...endsByItself, dispatch: once(DECLINED) },
    drive: async (run) => {
      await run.until(({ stage }) => stage === 'waiting');
      await run.admit();
      await run.becomesActive(1);
      await run.report(run.complete('Source closed', { attempt: 1 }));
    },
  },
  'next-part': {
    ends: 'completed',
    drive: async (run) => {
      await run.becomesActive();
      await run.sleep(5 * MINUTE_MS);
      await run.report(run.complete('CPU exhausted'));
      await run.becomesActive(1);
      await run.report(run.complete('StopEgress API', { attempt: 1 }));
    },
  },
  'worker-lost': {
    ends: 'completed',
    script: {
      inspectPart: (call) => (call > 2 ? undefined : { room: 'alive', inRoom: false, onWorker: 'no' }),
    },
    drive: async (run) => {
      await run.becomesActive();
      await run.sleep(5 * MINUTE_MS);
      await run.look('no worker shows it');
      await run.untilCalled('inspectPart');
      await run.sleep(10_000);
      await run.becomesActive(1);
      await run.report(run.complete('StopEgress API', { attempt: 1 }));
    },
  },
  'worker-dead': {
    ends: 'completed',
    script: { ...endsWhenStopped, inspectPart: once(() => ({ room: 'alive', inRoom: true, onWorker: 'dead' })) },
    drive: async (run) => {
      await run.becomesActive();
      await run.sleep(5 * MINUTE_MS);
      await run.look('its worker died');
      await run.becomesActive(1);
      await run.stop();
    },
  },
  hung: {
    ends: 'completed',
    script: {
      inspectPart: () => ({ room: 'alive', inRoom: true, onWorker: 'yes', publishes: true }),
    },
    drive: async (run) => {
      await run.untilAccepted();
      await run.sleep(MINUTE_MS);
      await run.look('it does not record');
      await run.untilCalled('inspectPart');
      await run.sleep(20_000);
      await run.becomesActive(1);
      await run.report(run.complete('StopEgress API', { attempt: 1 }));
    },
  },
  'max-duration': {
    ends: 'completed',
    script: {
      stopPart: async (_, __, run) => {
        await run.report(run.complete('StopEgress API'));
        return run.snapshot('ENDING');
      },
    },
    request: { maxDuration: '1h' },
    drive: (run) => run.becomesActive(0, START_MS),
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
      run.hold('dispatch');
      await run.untilCalled('dispatch');
      await run.cancelBySignal();
      run.release('dispatch');
    },
  },
  'stopped-in-the-queue': {
    ends: 'cancelled',
    script: { dispatch: FULL },
    drive: async (run) => {
      await run.until(({ stage }) => stage === 'waiting');
      await run.stop();
    },
  },
  'streams-changed': {
    ends: 'completed',
    script: { ...endsByItself, dispatch: once(() => NO_CAPACITY) },
    request: { origin: 'api' },
    drive: async (run) => {
      await run.until(({ stage }) => stage === 'waiting');
      await run.changeStreams({ add: ['rtmp://one'], remove: [] });
      await run.admit();
      await run.becomesActive();
      await run.changeStreams({ add: [], remove: ['rtmp://one'] });
      await run.report(run.complete('Source closed'));
    },
  },
  'livekit-away': {
    ends: 'completed',
    script: {
      ...endsByItself,
      publishRecord: (call) => {
        if (call < 5) throw new Error('LiveKit did not take UpdateEgress: no_claim');
        return undefined;
      },
    },
    drive: async (run) => {
      await run.becomesActive();
      await run.report(run.complete('Source closed'));
    },
  },
  webhooks: {
    ends: 'completed',
    script: {
      ...endsByItself,
      sendEvent: (call) =>
        call < 4
          ? { kind: 'failed', code: 'unavailable', status: 503, message: 'the receiver answered 503' }
          : undefined,
    },
    delivers: true,
    request: { receivers: [{ kind: 'request', url: 'https://example.com/hook' }] },
    drive: async (run) => {
      await run.becomesActive();
      await run.report(run.complete('Source closed'));
    },
  },
};

/** Runs one story to its end. */
export async function play(recordings: Pick<RecordingEnv, 'start'>, scenario: Scenario): Promise<RecordingRun> {
  const run = await recordings.start(scenario.script, scenario.request);
  await scenario.drive?.(run);
  const view = await run.result();
  if (scenario.delivers) await run.delivery.result();
  if (view.stage !== scenario.ends) throw new Error(`ended as ${view.stage}, not ${scenario.ends}`);
  return run;
}

export interface FleetScenario {
  pass: PassScript;
  drive: (run: FleetRun) => Promise<unknown>;
  input?: Partial<FleetInput>;
}

export const FLEET_SCENARIOS: Record<string, FleetScenario> = {
  /** Woken by a burst, looks often while workers boot, seldom while they record, and sleeps when the last one is gone. */
  'fleet-burst': {
    pass: (_, number) => BURST[number - 1] ?? {},
    drive: async (run) => {
      await run.untilPasses(1);
      await run.handle.signal(kickSignal, { why: 'a recording waits' });
      await run.untilPasses(2);
      await run.sleep('10m');
      await run.untilPasses(BURST.length);
    },
  },
  /** The second run of a fleet, with what the first one handed to it and a kick that came between two passes. */
  'fleet-continued': {
    pass: (_, number) => ({
      memory: { ...EMPTY_MEMORY, launchNotBeforeMs: number },
      line: `line ${number}`,
      ...(number === 3 ? { nextPassInMs: HOUR_MS } : number < 3 ? { nextPassInMs: 1 } : {}),
    }),
    drive: async (run) => {
      await run.untilPasses(1);
      await run.sleep('1s');
      await run.untilPasses(3);
      await run.handle.query(explainQuery);
      await run.handle.signal(kickSignal);
      await run.untilPasses(4);
    },
    input: { maxPasses: 2 },
  },
  /** A pass that breaks is tried again by its activity; the workflow notices nothing. */
  'fleet-broken-pass': {
    pass: (_, number) => {
      if (number < 3) throw new Error('Temporal visibility is down');
      return {};
    },
    drive: async (run) => {
      await run.untilAsked(1);
      await run.sleep('1m');
      await run.untilPasses(3);
    },
  },
};

const BURST = [
  {},
  { line: 'launching 6 workers for 24 cores of demand', summary: '6 booting', nextPassInMs: 2_000 },
  { line: 'admitting 6 recordings', summary: '6 ready', nextPassInMs: 2_000 },
  { summary: '6 busy', nextPassInMs: 30_000 },
  { line: 'draining 6 idle workers', summary: '6 idle', nextPassInMs: 30_000 },
  { summary: 'no worker' },
];
