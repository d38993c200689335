// Runs the recording workflow on the time-skipping server against scripted activities. Every recording has its own script and
// its own log of calls; activities without a script behave as on a good day.

import { Context } from '@temporalio/activity';
import type { WorkflowHandle } from '@temporalio/client';
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import proto from '@temporalio/proto';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { Runtime, Worker } from '@temporalio/worker';
import type { DeliveryActivities, Hindrance, RecordingActivities } from '../../src/activities/contract.ts';
import { attemptEgressId } from '../../src/recording/attempt.ts';
import type { EgressReport, EgressStatus } from '../../src/recording/egress.ts';
import type { RecordState } from '../../src/recording/record-state.ts';
import { type RecordingRequestInput, recordingRequestSchema } from '../../src/recording/request.ts';
import { SEARCH_ATTRIBUTES } from '../../src/recording/search-attributes.ts';
import type { StartOutcome } from '../../src/recording/start-outcome.ts';
import type { StreamChange } from '../../src/recording/streams.ts';
import type { RecordingView } from '../../src/recording/view.ts';
import {
  admittedSignal,
  cancelSignal,
  cancelUpdate,
  type ExtendBy,
  extendSignal,
  extendUpdate,
  lookSignal,
  type RecordingInput,
  reportSignal,
  stopUpdate,
  streamsUpdate,
  viewQuery,
} from '../../src/workflows/messages.ts';
import type { recording } from '../../src/workflows/recording.ts';

export const MINUTE_MS = 60_000;
export const HOUR_MS = 3_600_000;
/** As long as a test may wait for something that takes no virtual time. */
const PATIENCE_MS = 60_000;

type Activities = RecordingActivities & DeliveryActivities;
export type Name = keyof Activities;
type InputOf<N extends Name> = Parameters<Activities[N]>[0];
type ResultOf<N extends Name> = Awaited<ReturnType<Activities[N]>>;

/** What an activity does at its `call`th call, from 1. `undefined`: as on a good day. */
export type Script = {
  [N in Name]?: (
    call: number,
    input: InputOf<N>,
    run: RecordingRun,
  ) => ResultOf<N> | undefined | Promise<ResultOf<N> | undefined>;
};

export const NO_CAPACITY: Hindrance = { kind: 'no_capacity', message: 'no worker is ready' };
export const ROOM_MISSING: Hindrance = { kind: 'room_missing', message: 'requested room does not exist' };
export const REFUSED: StartOutcome = { kind: 'refused', errorCode: 400, message: 'invalid_argument' };
/** A worker was granted the start and did not answer, or said no. */
export const unknown = (input: { recordingId: string; attempt: number }): StartOutcome => ({
  kind: 'unknown',
  egressId: attemptEgressId(input.recordingId, input.attempt),
  message: 'the worker did not answer',
});
export const declined = (input: { recordingId: string; attempt: number }): StartOutcome => ({
  kind: 'declined',
  egressId: attemptEgressId(input.recordingId, input.attempt),
  message: 'not enough CPU',
});

/** Nobody reads it here. */
export const WIRE = 'd2lyZQ==';

export interface RecordingEnvOptions {
  serverPath: string;
  bundlePath: string;
  maxCachedWorkflows?: number;
}

export async function createRecordingEnv(options: RecordingEnvOptions) {
  Runtime.install({ logger: { log() {}, trace() {}, debug() {}, info() {}, warn() {}, error() {} } });
  const executable = { type: 'existing-path', path: options.serverPath } as const;
  const env = await TestWorkflowEnvironment.createTimeSkipping({ server: { executable } });
  await registerSearchAttributes(env);
  const runs = new Map<string, RecordingRun>();
  const taskQueue = 'recordings';
  const worker = await Worker.create({
    connection: env.nativeConnection,
    taskQueue,
    workflowBundle: { codePath: options.bundlePath },
    activities: scriptedActivities(runs),
    identity: 'reelkit-test',
    // A bug fails the workflow at once instead of repeating its task for ever.
    workflowFailureErrorTypes: { '*': ['Error'] },
    ...(options.maxCachedWorkflows === undefined ? {} : { maxCachedWorkflows: options.maxCachedWorkflows }),
  });
  const done = worker.run();
  done.catch(() => undefined);

  return {
    /** @param request what a client would send; a room of the recording's own when it names no source */
    async start(
      script: Script = {},
      request: Partial<RecordingRequestInput> = {},
      first?: FirstMessages,
      more: Partial<RecordingInput> = {},
    ) {
      const id = `EG_test${String(runs.size + 1).padStart(6, '0')}`;
      const run = new RecordingRun(id, env, script);
      runs.set(id, run);
      const now = await env.currentTimeMs();
      const input: RecordingInput = {
        id,
        fleet: 'default',
        request: recordingRequestSchema.parse({ source: { type: 'room', room: `room-${id}` }, ...request }),
        costCores: 4,
        requestedAtMs: now,
        requestHash: 'hash',
        wire: WIRE,
        storages: [],
        origin: 'livekit',
        ...more,
      };
      const start = {
        workflowId: id,
        taskQueue,
        args: [input] as [RecordingInput],
        typedSearchAttributes: [
          { key: defineSearchAttributeKey('RecordingStage', SearchAttributeType.KEYWORD), value: 'starting' },
        ],
      };
      if (first) {
        await env.client.workflow.signalWithStart<typeof recording, unknown[]>('recording', {
          ...start,
          signal: first.signal,
          signalArgs: first.args,
        });
      } else await env.client.workflow.start<typeof recording>('recording', start);
      run.handle = env.client.workflow.getHandle(start.workflowId);
      return run;
    },
    env,
    /** Ends what a test left open: every open recording makes skipping time slower for the tests that follow. */
    async endOpen() {
      for (const run of runs.values()) await run.abandon();
    },
    async close() {
      await this.endOpen();
      worker.shutdown();
      await done;
      await env.teardown();
    },
  };
}

/** The time-skipping server lists nothing by them, but refuses what it does not know. */
async function registerSearchAttributes({ connection }: TestWorkflowEnvironment): Promise<void> {
  const { IndexedValueType } = proto.temporal.api.enums.v1;
  const types = {
    Keyword: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    Int: IndexedValueType.INDEXED_VALUE_TYPE_INT,
    KeywordList: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD_LIST,
  };
  await connection.operatorService.addSearchAttributes({
    namespace: 'default',
    searchAttributes: Object.fromEntries(Object.entries(SEARCH_ATTRIBUTES).map(([name, type]) => [name, types[type]])),
  });
}

export interface FirstMessages {
  signal: string;
  args: unknown[];
}

export type RecordingEnv = Awaited<ReturnType<typeof createRecordingEnv>>;

export class RecordingRun {
  readonly id: string;
  readonly calls: { name: Name; input: InputOf<Name>; atMs: number }[] = [];
  readonly script: Script;
  readonly env: TestWorkflowEnvironment;
  private readonly gates = new Map<Name, { waiting: Promise<void>; open: () => void }>();
  private ended = false;
  handle!: WorkflowHandle<typeof recording>;

  constructor(id: string, env: TestWorkflowEnvironment, script: Script) {
    this.id = id;
    this.env = env;
    this.script = script;
  }

  /** Calls of one activity so far. */
  count(name: Name): number {
    return this.calls.filter((call) => call.name === name).length;
  }

  inputs<N extends Name>(name: N): InputOf<N>[] {
    return this.calls.filter((call) => call.name === name).map((call) => call.input as InputOf<N>);
  }

  get stopped(): string[] {
    return this.inputs('stopPart').map(({ egressId }) => egressId);
  }

  /** @param attempt from 0 */
  egressId(attempt = 0): string {
    return attemptEgressId(this.id, attempt);
  }

  /** Statuses of LiveKit's record, in the order in which it was told. */
  get published(): RecordState['status'][] {
    return this.inputs('publishRecord').map(({ state }) => state.status);
  }

  snapshot(status: EgressStatus, { attempt = 0, ...more }: Partial<EgressReport> & { attempt?: number } = {}) {
    return { egressId: this.egressId(attempt), status, files: [], ...more } satisfies EgressReport;
  }

  /** COMPLETE with a file, as a worker reports it. */
  complete(details: string, more: Parameters<RecordingRun['snapshot']>[1] = {}) {
    const filename = `${this.id}-${more.attempt ?? 0}.mp4`;
    return this.snapshot('COMPLETE', {
      details: `End reason: ${details}`,
      files: [{ filename, location: filename, sizeBytes: 1_000, durationMs: 5_000 }],
      ...more,
    });
  }

  report(report: EgressReport): Promise<void> {
    return this.handle.signal(reportSignal, report);
  }

  /** The worker of this attempt reports ACTIVE, and the recording has taken note. */
  async becomesActive(attempt = 0): Promise<void> {
    const egressId = this.egressId(attempt);
    await this.until(({ parts }) => parts.some((part) => part.egressId === egressId));
    await this.report(this.snapshot('ACTIVE', { attempt, startedAtMs: await this.now() }));
    await this.until(({ stage }) => stage === 'recording');
  }

  admit = () => this.handle.signal(admittedSignal);
  look = (why = 'a test asks') => this.handle.signal(lookSignal, { why });
  cancelBySignal = () => this.handle.signal(cancelSignal, {});
  extendBySignal = (by: ExtendBy) => this.handle.signal(extendSignal, by);
  cancel = () => this.handle.executeUpdate(cancelUpdate, { args: [{}] });
  stop = () => this.handle.executeUpdate(stopUpdate);
  changeStreams = (change: StreamChange) => this.handle.executeUpdate(streamsUpdate, { args: [change] });
  extend = (by: ExtendBy) => this.handle.executeUpdate(extendUpdate, { args: [by] });
  view = () => this.handle.query(viewQuery);
  now = () => this.env.currentTimeMs();
  sleep = (ms: number) => this.env.sleep(ms);

  /** Skips time until the recording has ended. */
  async result(): Promise<RecordingView> {
    const view = await this.handle.result();
    this.ended = true;
    return view;
  }

  async until(holds: (view: RecordingView) => boolean): Promise<RecordingView> {
    for (const startedAt = Date.now(); ; ) {
      const view = await this.view();
      if (holds(view)) return view;
      if (Date.now() - startedAt > PATIENCE_MS) throw new Error(`it never happened: ${JSON.stringify(view)}`);
      await pause(20);
    }
  }

  async untilCalled(name: Name, times = 1): Promise<void> {
    for (const startedAt = Date.now(); this.count(name) < times; await pause(10)) {
      if (Date.now() - startedAt > PATIENCE_MS) {
        throw new Error(`${name} was called ${this.count(name)} times: ${this.calls.map((call) => call.name)}`);
      }
    }
  }

  /** The next calls of this activity stay open until `release`. */
  hold(name: Name): void {
    let open = () => {};
    const waiting = new Promise<void>((resolve) => {
      open = resolve;
    });
    this.gates.set(name, { waiting, open });
  }

  release(name: Name): void {
    this.gates.get(name)?.open();
    this.gates.delete(name);
  }

  passGate(name: Name): Promise<void> | undefined {
    return this.gates.get(name)?.waiting;
  }

  async abandon(): Promise<void> {
    if (this.ended) return;
    this.ended = true;
    for (const { open } of this.gates.values()) open();
    await this.handle.terminate('the test is over').catch(() => undefined);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function scriptedActivities(runs: Map<string, RecordingRun>): Activities {
  const answer =
    <N extends Name>(name: N, goodDay: (run: RecordingRun, input: InputOf<N>, atMs: number) => ResultOf<N>) =>
    async (input: InputOf<N>): Promise<ResultOf<N>> => {
      const { info } = Context.current();
      const [id = ''] = (info.workflowExecution?.workflowId ?? '').split('/');
      const run = runs.get(id);
      if (!run) throw new Error('nobody runs this recording');
      const atMs = info.currentAttemptScheduledTimestampMs;
      run.calls.push({ name, input, atMs });
      await run.passGate(name);
      const scripted = await run.script[name]?.(run.count(name), input, run);
      return scripted ?? goodDay(run, input, atMs);
    };
  return {
    dispatch: answer('dispatch', (run, { attempt }, atMs) => ({
      kind: 'started',
      egressId: run.egressId(attempt),
      acceptedAtMs: atMs,
      worker: { id: `worker-${attempt}`, topic: `topic-${attempt}` },
    })),
    inspectPart: answer('inspectPart', () => ({ room: 'alive', inRoom: true, onWorker: 'yes' })),
    stopPart: answer('stopPart', () => null),
    changeRunningStreams: answer('changeRunningStreams', () => ({ kind: 'changed' })),
    changeWantedStreams: answer('changeWantedStreams', (_, { wire }) => ({ kind: 'changed', wire: `${wire}+` })),
    inspectRoom: answer('inspectRoom', () => ({ room: 'alive' })),
    requestCapacity: answer('requestCapacity', () => null),
    wakeFleet: answer('wakeFleet', () => undefined),
    publishRecord: answer('publishRecord', () => undefined),
    notifyUser: answer('notifyUser', () => undefined),
  };
}
