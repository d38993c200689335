// What LiveKit asks of recordings, with a Temporal that answers by script: each of its answers becomes LiveKit's.
import { EgressInfo, EgressStatus, EncodedFileOutput, RoomCompositeEgressRequest } from '@livekit/protocol';
import { type Client, WorkflowFailedError, WorkflowNotFoundError, WorkflowUpdateFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { describe, expect, it } from 'vitest';
import type { Recordings } from '../../../src/api/recordings/recordings.ts';
import { recordingMemo } from '../../../src/api/recordings/start-recording.ts';
import { RpcError } from '../../../src/bus/error.ts';
import { DEFAULT_COSTS } from '../../../src/fleet/cost.ts';
import { StartMessage } from '../../../src/livekit/request/index.ts';
import { openRecording } from '../../../src/recording/open.ts';
import type { RecordFacts } from '../../../src/recording/record-state.ts';
import { recordingRequestSchema } from '../../../src/recording/request.ts';
import type { Rule } from '../../../src/recording/rules.ts';
import type { RecordingView } from '../../../src/recording/view.ts';
import { createIntakeRecordings, type IntakeSettings } from '../../../src/service/intake-recordings.ts';
import type { RecordingInput, RecordingMemo } from '../../../src/workflows/messages.ts';

const ID = 'EG_23456789abcd';
const AT_MS = 1_900_000_000_000;
const SETTINGS: IntakeSettings = {
  fleets: [
    { name: 'default', costs: DEFAULT_COSTS },
    { name: 'small', costs: { ...DEFAULT_COSTS, roomComposite: 2 } },
  ],
  rules: [],
  receivers: [],
};

const message = new StartMessage({
  egressId: ID,
  roomName: 'lesson',
  request: {
    case: 'roomComposite',
    value: new RoomCompositeEgressRequest({
      roomName: 'lesson',
      fileOutputs: [new EncodedFileOutput({ filepath: 'lesson.mp4' })],
    }),
  },
});
const wire = Buffer.from(message.toBinary()).toString('base64');

interface Scripted {
  start?: Recordings['start'];
  /** Of executeUpdate. */
  update?: (name: string, args: unknown[]) => Promise<RecordFacts>;
  result?: () => Promise<RecordingView>;
  describe?: () => Promise<object>;
  rules?: Rule[];
}

function bed(script: Scripted = {}) {
  const started: RecordingInput[] = [];
  const asked: string[] = [];
  const fail = () => Promise.reject(new Error('not scripted'));
  const client = {
    withDeadline: <T>(deadlineMs: number, call: () => Promise<T>) => {
      expect(Number(deadlineMs) - Date.now()).toBeLessThan(10_000);
      return call();
    },
    workflow: {
      getHandle: (id: string) => ({
        executeUpdate: ({ name }: { name: string }, { args = [] }: { args?: unknown[] } = {}) => {
          asked.push(`${name} ${id}`);
          return (script.update ?? fail)(name, args);
        },
        result: script.result ?? fail,
        describe: script.describe ?? fail,
      }),
    },
  } as unknown as Client;
  const start: Recordings['start'] = async (input) => {
    started.push(input);
    return script.start ? script.start(input) : { isNew: true, memo: recordingMemo(input) };
  };
  const settings = { ...SETTINGS, rules: script.rules ?? [] };
  return { started, asked, recordings: createIntakeRecordings(client, { start }, settings) };
}

const caught = (promise: Promise<unknown>) => promise.then(() => undefined).catch((error: unknown) => error);
const notFound = () => Promise.reject(new WorkflowNotFoundError('not found', ID, undefined));
const rejected = (type: string, words: string, ...details: unknown[]) =>
  Promise.reject(
    new WorkflowUpdateFailedError('update failed', ApplicationFailure.create({ type, message: words, details })),
  );

function view(stage: RecordingView['stage']): RecordingView {
  const request = recordingRequestSchema.parse({ source: { type: 'room', room: 'lesson' } });
  return { ...openRecording({ id: ID, fleet: 'default', request, requestedAtMs: AT_MS }), stage };
}

const facts: RecordFacts = {
  recordingId: ID,
  wire,
  acceptedAtMs: AT_MS,
  state: { status: 'ENDING' },
  reports: [],
  retries: 0,
  unlisted: false,
  told: 'STARTING',
};

describe('a request that LiveKit brings', () => {
  it('becomes the recording of the same id, with the request as it came', async () => {
    const { recordings, started } = bed();
    expect(await recordings.accept(message, AT_MS)).toEqual({ acceptedAtMs: AT_MS });
    const [input] = started;
    expect(input).toMatchObject({
      id: ID,
      fleet: 'default',
      wire,
      storages: [],
      origin: 'livekit',
      costCores: DEFAULT_COSTS.roomComposite,
      requestedAtMs: AT_MS,
      request: { source: { type: 'room', room: 'lesson' }, priority: 3 },
    });
  });

  it('meets its recording again, with the time it was first accepted', async () => {
    const existing = { requestedAtMs: AT_MS - 5_000 } as RecordingMemo;
    const { recordings } = bed({ start: async () => ({ isNew: false, memo: existing }) });
    expect(await recordings.accept(message, AT_MS)).toEqual({ acceptedAtMs: AT_MS - 5_000 });
  });

  it('follows the rules for its room, because it cannot say such things itself', async () => {
    const rules: Rule[] = [
      { match: { room: 'other' }, priority: 5 },
      {
        match: { room: 'less*' },
        priority: 1,
        fleet: 'small',
        tenant: 'school',
        labels: { a: 'b' },
        maxDuration: 60_000,
      },
    ];
    const { recordings, started } = bed({ rules });
    await recordings.accept(message, AT_MS);
    expect(started[0]).toMatchObject({
      fleet: 'small',
      // What the workers of that fleet charge.
      costCores: 2,
      request: { priority: 1, labels: { a: 'b' }, maxDuration: 60_000, tenant: 'school' },
    });
    expect(started[0]?.request).toMatchObject({ tenant: 'school' });
  });

  it('is asked for again when Temporal does not take it', async () => {
    const { recordings } = bed({ start: () => Promise.reject(new Error('14 UNAVAILABLE: secret')) });
    const error = await caught(recordings.accept(message, AT_MS));
    expect(error).toBeInstanceOf(RpcError);
    expect(error).toMatchObject({ code: 'unavailable', message: 'the recording could not be kept now' });
  });
});

describe('whether an egress is a recording', () => {
  it('is told by Temporal, open or ended', async () => {
    expect(await bed({ describe: async () => ({}) }).recordings.knows(ID)).toBe(true);
    expect(await bed({ describe: notFound }).recordings.knows(ID)).toBe(false);
  });

  it('is not known while Temporal is away', async () => {
    const { recordings } = bed({ describe: () => Promise.reject(new Error('away')) });
    await expect(recordings.knows(ID)).rejects.toThrow('away');
  });
});

describe('a stop, and a change of streams', () => {
  it("answer LiveKit's record as it is then", async () => {
    const { recordings, asked } = bed({ update: async () => facts });
    const stopped = await recordings.stop(ID);
    expect(stopped).toBeInstanceOf(EgressInfo);
    expect(stopped).toMatchObject({ egressId: ID, roomName: 'lesson', status: EgressStatus.EGRESS_ENDING });
    expect((await recordings.updateStreams(ID, { add: [], remove: [] })).egressId).toBe(ID);
    expect(asked).toEqual([`stopEgress ${ID}`, `updateStreams ${ID}`]);
  });

  it('carry what is added and removed', async () => {
    const changes: unknown[] = [];
    const update = async (_: string, args: unknown[]) => {
      changes.push(...args);
      return facts;
    };
    const change = { add: ['rtmp://a/b'], remove: ['rtmp://c/d'] };
    await bed({ update }).recordings.updateStreams(ID, change);
    expect(changes).toEqual([change]);
  });

  it.each<[stage: RecordingView['stage'], status: string]>([
    ['completed', 'COMPLETE'],
    ['cancelled', 'ABORTED'],
    ['failed', 'FAILED'],
    ['expired', 'FAILED'],
  ])("of a recording that is %s are refused in LiveKit's words", async (stage, status) => {
    for (const update of [notFound, () => rejected('RecordingEnded', 'it has ended')]) {
      const { recordings } = bed({ update, result: async () => view(stage) });
      expect(await caught(recordings.stop(ID))).toMatchObject({
        code: 'failed_precondition',
        message: `egress with status EGRESS_${status} cannot be stopped`,
      });
      expect(await caught(recordings.updateStreams(ID, { add: [], remove: [] }))).toMatchObject({
        code: 'failed_precondition',
        message: `egress with status EGRESS_${status} cannot be updated`,
      });
    }
  });

  it('that overtook the end, or met a workflow that an operator terminated, are refused likewise', async () => {
    const overtaken = () => rejected('AcceptedUpdateCompletedWorkflow', 'completed');
    const { recordings } = bed({ update: overtaken, result: async () => view('completed') });
    expect(await caught(recordings.stop(ID))).toMatchObject({ message: expect.stringContaining('EGRESS_COMPLETE') });
    const terminated = bed({
      update: notFound,
      result: () => Promise.reject(new WorkflowFailedError('terminated', undefined, undefined as never)),
    });
    expect(await caught(terminated.recordings.stop(ID))).toMatchObject({
      code: 'failed_precondition',
      message: 'egress with status EGRESS_FAILED cannot be stopped',
    });
  });

  it('that the recording refuses keep its code and words', async () => {
    const words = 'request has missing or invalid field: urls';
    const { recordings } = bed({ update: () => rejected('Refused', words, 'invalid_argument') });
    const error = await caught(recordings.updateStreams(ID, { add: ['x'], remove: [] }));
    expect(error).toBeInstanceOf(RpcError);
    expect(error).toMatchObject({ code: 'invalid_argument', message: words });
  });

  it.each<[string, () => Promise<never>, (() => Promise<never>)?]>([
    ['Temporal is away', () => Promise.reject(new Error('14 UNAVAILABLE'))],
    ['the workflow fails in a way nobody foresaw', () => rejected('SomethingElse', 'a secret')],
    ['the end cannot be read', notFound, () => Promise.reject(new Error('14 UNAVAILABLE'))],
  ])('are asked for again when %s', async (_, update, result) => {
    const { recordings } = bed({ update, ...(result ? { result } : {}) });
    const error = await caught(recordings.stop(ID));
    expect(error).toBeInstanceOf(RpcError);
    expect(error).toMatchObject({ code: 'unavailable', message: 'the recording did not answer in time' });
  });
});
