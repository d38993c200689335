// Runs the recording workflow on the time-skipping server against scripted activities. Every recording has its own script and
// its own log of calls; activities without a script behave as on a good day.

import { Context } from '@temporalio/activity';
import type { WorkflowHandle } from '@temporalio/client';
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import proto from '@temporalio/proto';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { Runtime, Worker } from '@temporalio/worker';
import type {
  DeliveryActivities,
  FilesActivities,
  Hindrance,
  MediaActivities,
  RecordingActivities,
} from '../../src/activities/contract.ts';
import { mediaTaskQueue } from '../../src/common/media-queue.ts';
import { attemptEgressId } from '../../src/recording/attempt.ts';
import type { EgressReport, EgressStatus } from '../../src/recording/egress.ts';
import { type RecordingRequestInput, recordingRequestSchema } from '../../src/recording/request.ts';
import { SEARCH_ATTRIBUTES } from '../../src/recording/search-attributes.ts';
import type { AssignedWorker, StartOutcome } from '../../src/recording/start-outcome.ts';
import type { StreamChange } from '../../src/recording/streams.ts';
import type { RecordingView } from '../../src/recording/view.ts';
import { nameOfReceiver } from '../../src/recording/webhooks/receivers.ts';
import type { delivery } from '../../src/workflows/delivery.ts';
import {
  admittedSignal,
  announceSignal,
  cancelSignal,
  cancelUpdate,
  deliveryWorkflowId,
  type ExtendBy,
  extendSignal,
  extendUpdate,
  layoutSignal,
  lookSignal,
  participantsLeftSignal,
  pauseSignal,
  pauseUpdate,
  type RecordingInput,
  recordingWorkflowId,
  reportSignal,
  resumeSignal,
  resumeUpdate,
  stopUpdate,
  streamsUpdate,
  viewQuery,
} from '../../src/workflows/messages.ts';
import type { recording } from '../../src/workflows/recording.ts';

export const MINUTE_MS = 60_000;
export const HOUR_MS = 3_600_000;
/** As long as a test may wait for something that takes no virtual time. */
const PATIENCE_MS = 60_000;
/** A busy machine needs a while for a query. */
const QUERY_MS = 10_000;
/** What is under way at the end of a test gets so long. */
const SETTLE_MS = 5_000;

const TASK_QUEUE = 'recordings';

type Activities = RecordingActivities & DeliveryActivities & FilesActivities & MediaActivities;
export type Name = keyof Activities;
type InputOf<N extends Name> = Parameters<Activities[N]>[0];
type ResultOf<N extends Name> = Awaited<ReturnType<Activities[N]>>;

/** What an activity does at its `call`th call, from 1. `undefined`: as on a good day. */
type ScriptOf<N extends Name> = (
  call: number,
  input: InputOf<N>,
  run: RecordingRun,
) => ResultOf<N> | undefined | Promise<ResultOf<N> | undefined>;
export type Script = { [N in Name]?: ScriptOf<N> };

export const NO_CAPACITY: Hindrance = { kind: 'no_capacity', message: 'no worker is ready', roomId: 'RM_1' };
export const ROOM_MISSING: Hindrance = { kind: 'room_missing', message: 'room does not exist' };
export const NOT_GRANTED: StartOutcome = { kind: 'no_capacity', message: 'w1: no worker claimed it' };
export const REFUSED: StartOutcome = { kind: 'refused', errorCode: 400, message: 'w1 answered invalid_argument' };
export const WORKER: AssignedWorker = { id: 'w1', topic: 'topic-1' };
/** A worker was granted the start; what came of it nobody knows, or it said no. */
export const UNKNOWN: ScriptOf<'dispatch'> = (_, { attempt }, run) => ({
  kind: 'unknown',
  egressId: run.egressId(attempt),
  message: 'w1 was granted the start and did not answer',
});
export const DECLINED: ScriptOf<'dispatch'> = (_, { attempt }, run) => ({
  kind: 'declined',
  egressId: run.egressId(attempt),
  message: 'w1 answered internal: handler failed to start',
});

/** No worker has room, until the fleet admits the recording. @param first the first call of which that is so */
export function fullFrom(first: number): ScriptOf<'dispatch'> {
  return (call, { admitted }) => (call >= first && !admitted ? NO_CAPACITY : undefined);
}
export const FULL = fullFrom(1);

/** Only the first call; the others are as on a good day. */
export function once<N extends Name>(script: ScriptOf<N>): ScriptOf<N> {
  return (call, input, run) => (call === 1 ? script(call, input, run) : undefined);
}

/** What the first attempt asks; here it is only carried around. */
export const FIRST_WIRE = 'wire';

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
  const taskQueue = TASK_QUEUE;
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
  const mediaWorker = await Worker.create({
    connection: env.nativeConnection,
    taskQueue: mediaTaskQueue(taskQueue),
    activities: scriptedActivities(runs),
    identity: 'reelkit-test-media',
  });
  const done = Promise.all([worker.run(), mediaWorker.run()]);
  done.catch(() => undefined);

  return {
    /** @param request what a client would send; a room of the recording's own when it names no source */
    async start(
      script: Script = {},
      {
        origin = 'livekit',
        noRoom,
        receivers,
        requestedAtMs,
        maxEvents,
        keepFolder,
        ...request
      }: Partial<RecordingRequestInput> &
        Partial<
          Pick<RecordingInput, 'origin' | 'noRoom' | 'receivers' | 'requestedAtMs' | 'maxEvents' | 'keepFolder'>
        > = {},
      first?: FirstMessages,
    ) {
      const id = `EG_test${String(runs.size + 1).padStart(4, '0')}`;
      const run = new RecordingRun(id, env, script);
      runs.set(id, run);
      const now = await env.currentTimeMs();
      const input: RecordingInput = {
        id,
        fleet: 'default',
        request: recordingRequestSchema.parse({ source: { type: 'room', room: `room-${id}` }, ...request }),
        costCores: 4,
        requestedAtMs: requestedAtMs ?? now,
        requestHash: 'hash',
        wire: FIRST_WIRE,
        storages: [null],
        origin,
        ...(noRoom === undefined ? {} : { noRoom }),
        ...(receivers === undefined ? {} : { receivers }),
        ...(maxEvents === undefined ? {} : { maxEvents }),
        ...(keepFolder === undefined ? {} : { keepFolder }),
      };
      const start = {
        workflowId: recordingWorkflowId(id),
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
      mediaWorker.shutdown();
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

type ReportFields = Partial<EgressReport> & { attempt?: number };

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

  /** Of an attempt, from 0. */
  egressId(attempt = 0): string {
    return attemptEgressId(this.id, attempt);
  }

  /** What LiveKit was told, in order. */
  get published(): EgressStatus[] {
    return this.inputs('publishRecord').map(({ state }) => state.status);
  }

  /** Stages that the workflow has written to Temporal's index since its start. */
  async indexed(): Promise<string[]> {
    const { events } = await this.handle.fetchHistory();
    return (events ?? []).flatMap(({ upsertWorkflowSearchAttributesEventAttributes: upsert }) => {
      const { data } = upsert?.searchAttributes?.indexedFields?.RecordingStage ?? {};
      return data ? [JSON.parse(Buffer.from(data).toString()) as string] : [];
    });
  }

  get attempts(): number[] {
    return this.inputs('dispatch').map(({ attempt }) => attempt);
  }

  /** As the worker of an attempt would report. */
  snapshot(status: EgressStatus, { attempt = 0, ...more }: ReportFields = {}): EgressReport {
    const { egressId = this.egressId(attempt) } = more;
    return { egressId, status, files: [], info: `${egressId} ${status}`, ...more };
  }

  /** COMPLETE with a file. */
  complete(details: string, more: ReportFields = {}): EgressReport {
    const filename = `${this.egressId(more.attempt)}.mp4`;
    return this.snapshot('COMPLETE', {
      details: `End reason: ${details}`,
      files: [{ filename, location: filename, sizeBytes: 1_000, durationMs: 5_000 }],
      ...more,
    });
  }

  report(report: EgressReport): Promise<void> {
    return this.handle.signal(reportSignal, report);
  }

  /** An attempt was accepted, its worker reports ACTIVE, and the recording has taken note. */
  async becomesActive(attempt = 0, afterMs = 0): Promise<void> {
    await this.untilAccepted(attempt);
    if (afterMs > 0) await this.sleep(afterMs);
    await this.report(this.snapshot('ACTIVE', { attempt, startedAtMs: await this.now() }));
    await this.until(({ stage }) => stage === 'recording');
  }

  untilAccepted(attempt = 0): Promise<RecordingView> {
    return this.until(({ parts }) => parts.at(-1)?.egressId === this.egressId(attempt));
  }

  async untilPublished(status: EgressStatus): Promise<void> {
    await eventually(`LiveKit's record says ${status}`, () => this.published.includes(status));
  }

  admit = () => this.handle.signal(admittedSignal);
  look = (why = 'a test asks', egressId?: string) =>
    this.handle.signal(lookSignal, { why, ...(egressId === undefined ? {} : { egressId }) });
  /** The fleet says that its worker goes. */
  handOver = () => this.handle.signal(lookSignal, { why: 'its worker goes', code: 'worker_leaves' });
  participantsLeft = () => this.handle.signal(participantsLeftSignal, { sinceMs: 0 });
  hearLayout = (layout: unknown) => this.handle.signal(layoutSignal, layout as string);
  cancelBySignal = () => this.handle.signal(cancelSignal, {});
  extendBySignal = (by: ExtendBy) => this.handle.signal(extendSignal, by);
  pause = (by?: string) => this.handle.executeUpdate(pauseUpdate, { args: [by === undefined ? {} : { by }] });
  resume = () => this.handle.executeUpdate(resumeUpdate);
  pauseBySignal = () => this.handle.signal(pauseSignal, {});
  resumeBySignal = () => this.handle.signal(resumeSignal);
  cancel = () => this.handle.executeUpdate(cancelUpdate, { args: [{}] });
  stop = () => this.handle.executeUpdate(stopUpdate);
  changeStreams = (change: StreamChange) => this.handle.executeUpdate(streamsUpdate, { args: [change] });
  extend = (by: ExtendBy) => this.handle.executeUpdate(extendUpdate, { args: [by] });
  now = () => this.env.currentTimeMs();
  sleep = (ms: number) => this.env.sleep(ms);

  /** The time-skipping server answers no query that meets the end of a run whose workflow goes on in another: it is asked again. */
  async view(): Promise<RecordingView> {
    for (let left = 5; ; left -= 1) {
      try {
        return await this.env.client.withDeadline(Date.now() + QUERY_MS, () => this.handle.query(viewQuery));
      } catch (error) {
        if (left === 0) throw error;
      }
    }
  }

  /** Skips time until the recording has ended. */
  async result(): Promise<RecordingView> {
    const view = await this.handle.result();
    this.ended = true;
    return view;
  }

  get delivery(): WorkflowHandle<typeof delivery> {
    return this.env.client.workflow.getHandle<typeof delivery>(deliveryWorkflowId(this.id));
  }

  /** What was sent to a receiver, in order: `2 recording.started`. */
  sentTo(name: string): string[] {
    return this.inputs('sendEvent').flatMap(({ receiver, body }) => {
      const { sequence, event } = JSON.parse(body) as { sequence: number; event: string };
      return nameOfReceiver(receiver) === name ? [`${sequence} ${event}`] : [];
    });
  }

  async until(holds: (view: RecordingView) => boolean): Promise<RecordingView> {
    for (const startedAt = Date.now(); ; ) {
      const view = await this.view();
      if (holds(view)) return view;
      if (Date.now() - startedAt > PATIENCE_MS) throw new Error(`it never happened: ${JSON.stringify(view)}`);
      await pause(20);
    }
  }

  async untilStopped(attempt: number): Promise<void> {
    await eventually(`${this.egressId(attempt)} is stopped`, () => this.stopped.includes(this.egressId(attempt)));
  }

  async untilCalled(name: Name, times = 1): Promise<void> {
    await eventually(`${name} is called ${times} times`, () => this.count(name) >= times);
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

  /** The server's clock stands for good when a terminated workflow leaves an activity or a workflow task open. */
  private async untilNothingIsUnderWay(): Promise<void> {
    for (const startedAt = Date.now(); Date.now() - startedAt < SETTLE_MS; await pause(20)) {
      const { events } = await this.handle.fetchHistory();
      const names = (events ?? []).flatMap((event) => Object.keys(event));
      const count = (...tails: string[]) => names.filter((name) => tails.some((tail) => name.endsWith(tail))).length;
      const closed = ['Completed', 'Failed', 'TimedOut'].map((how) => `Task${how}EventAttributes`);
      if (count('TaskScheduledEventAttributes') === count(...closed)) return;
    }
  }

  async abandon(): Promise<void> {
    if (this.ended) return;
    this.ended = true;
    for (const { open } of this.gates.values()) open();
    await this.untilNothingIsUnderWay();
    await this.handle.terminate('the test is over').catch(() => undefined);
  }
}

async function eventually(what: string, holds: () => boolean): Promise<void> {
  for (const startedAt = Date.now(); !holds(); await pause(10)) {
    if (Date.now() - startedAt > PATIENCE_MS) throw new Error(`it never happened: ${what}`);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function scriptedActivities(runs: Map<string, RecordingRun>): Activities {
  const answer =
    <N extends Name>(
      name: N,
      goodDay: (run: RecordingRun, input: InputOf<N>, atMs: number) => ResultOf<N> | Promise<ResultOf<N>>,
    ) =>
    async (input: InputOf<N>): Promise<ResultOf<N>> => {
      const { info } = Context.current();
      const [recordingId = ''] = (info.workflowExecution?.workflowId ?? '').split('/');
      const run = runs.get(recordingId);
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
      worker: WORKER,
      roomId: `RM_${run.id}`,
    })),
    findAttempt: answer('findAttempt', () => null),
    inspectPart: answer('inspectPart', () => ({ room: 'alive', inRoom: true, onWorker: 'yes' })),
    stopPart: answer('stopPart', () => null),
    changeRunningStreams: answer('changeRunningStreams', () => ({ kind: 'changed' })),
    changeWantedStreams: answer('changeWantedStreams', (_, { wire, add, remove }) => ({
      kind: 'changed',
      wire: [wire, ...add.map((url) => `+${url}`), ...remove.map((url) => `-${url}`)].join(' '),
    })),
    inspectRoom: answer('inspectRoom', () => ({ room: 'alive' })),
    lookForSource: answer('lookForSource', () => ({ room: 'alive', source: 'here' })),
    wakeFleet: answer('wakeFleet', () => undefined),
    publishRecord: answer('publishRecord', () => undefined),
    announce: answer('announce', async (run, { events, ...input }) => {
      await run.env.client.workflow.signalWithStart<typeof delivery, [typeof events]>('delivery', {
        workflowId: deliveryWorkflowId(input.recordingId),
        taskQueue: TASK_QUEUE,
        args: [input],
        signal: announceSignal,
        signalArgs: [events],
      });
    }),
    sendEvent: answer('sendEvent', () => ({ kind: 'delivered', status: 200 })),
    rebuildPart: answer('rebuildPart', (_, { filename, report }) => ({
      kind: 'rebuilt',
      file: { filename: `rebuilt ${filename}`, location: `rebuilt ${filename}`, sizeBytes: 500, durationMs: 4_000 },
      report: `${report} rebuilt`,
    })),
    joinParts: answer('joinParts', (_, { parts }) => ({
      file: { filename: 'joined.mp4', location: 'joined.mp4', sizeBytes: 1_500, durationMs: 9_000 },
      seams: [{ atMs: 4_000, gapMs: 1_000, overlapMs: 0 }],
      reports: parts.map(({ egressId, report }) => ({ egressId, report: `${report} joined` })),
    })),
    settleFiles: answer('settleFiles', () => undefined),
    findRecording: answer('findRecording', async (run) => ({
      isOpen: (await run.handle.describe()).status.name === 'RUNNING',
    })),
  };
}
