// The recording's activities with a LiveKit, a fleet and workers that answer by script: who is asked, under which id, and what is
// no doubt.
import { EgressInfo, EgressStatus, EncodedFileOutput, RoomCompositeEgressRequest } from '@livekit/protocol';
import type { Client } from '@temporalio/client';
import { MockActivityEnvironment } from '@temporalio/testing';
import { describe, expect, it, vi } from 'vitest';
import { createWorkerChoice } from '../../../src/activities/choose-worker.ts';
import type { DispatchInput } from '../../../src/activities/contract.ts';
import { createRecordingActivities, type RecordingDeps } from '../../../src/activities/recording.ts';
import type { ObservedWorker } from '../../../src/fleet/observation.ts';
import type { LiveKitClient } from '../../../src/livekit/client.ts';
import { createDepartures } from '../../../src/livekit/departures.ts';
import { createGrants, type Grants } from '../../../src/livekit/grants.ts';
import { createPresence } from '../../../src/livekit/presence.ts';
import { decodeStart, StartMessage } from '../../../src/livekit/request/index.ts';
import { createRoomWatch } from '../../../src/livekit/room-watch.ts';
import { DISPATCH_LIMIT_MS, WorkerRefusal, WorkerSilent, type Workers } from '../../../src/livekit/workers.ts';
import type { RecordFacts } from '../../../src/recording/record-state.ts';
import { recordingRequestSchema } from '../../../src/recording/request.ts';
import type { DispatchReply, StartOutcome } from '../../../src/recording/start-outcome.ts';
import { egress, worker } from '../../support/fleet.ts';
import { createMemoryBroker } from '../../support/memory-bus.ts';

const ID = 'EG_23456789abcd';
const request = recordingRequestSchema.parse({ source: { type: 'room', room: 'demo' } });

const roomRequest = new RoomCompositeEgressRequest({
  roomName: 'demo',
  fileOutputs: [new EncodedFileOutput({ filepath: 'demo.mp4' })],
});

function wireOf({ roomId = '' } = {}): string {
  const start = new StartMessage({
    egressId: ID,
    roomId,
    roomName: 'demo',
    request: { case: 'roomComposite', value: roomRequest },
  });
  return Buffer.from(start.toBinary()).toString('base64');
}

function fileOf(message: StartMessage | undefined): EncodedFileOutput | undefined {
  return message?.request.case === 'roomComposite' ? message.request.value.fileOutputs[0] : undefined;
}

const dispatchInput = (change: Partial<DispatchInput> = {}): DispatchInput => ({
  recordingId: ID,
  attempt: 0,
  fleet: 'default',
  request,
  wire: wireOf(),
  storages: ['disk'],
  costCores: 4,
  queuedSinceMs: 0,
  admitted: false,
  keepsIdentity: false,
  ...change,
});

const quiet = { log() {}, trace() {}, debug() {}, info() {}, warn() {}, error() {} };
const ACCEPTED: DispatchReply = { kind: 'accepted', atMs: 1 };
const SILENT: DispatchReply = { kind: 'not_granted', message: 'it did not claim the start' };

interface World {
  livekit?: Partial<LiveKitClient>;
  workers?: ObservedWorker[];
  observe?: () => Promise<ObservedWorker[]>;
  /** Egresses that listen there. */
  onBus?: string[];
  /** What the worker of a topic answers to a start. */
  start?: (topic: string, message: StartMessage, grants: Grants) => DispatchReply;
  bus?: Partial<Workers>;
  ahead?: () => Promise<number>;
  kick?: RecordingDeps['kickFleet'];
  looksSoon?: boolean;
  storages?: RecordingDeps['storages'];
  placeOf?: RecordingDeps['placeOf'];
}

function activities(world: World = {}) {
  const sent: { topic: string; message: StartMessage }[] = [];
  const queries: string[] = [];
  const outcomes: StartOutcome['kind'][] = [];
  const protectedEgresses: string[] = [];
  const told: [string, EgressInfo][] = [];
  const grants = createGrants();
  const livekit = {
    roomSid: async () => 'RM_1',
    listParticipants: async () => [],
    recordOf: async () => null,
    ...world.livekit,
  } as unknown as LiveKitClient;
  const count = async (query: string) => {
    queries.push(query);
    return await (world.ahead?.() ?? 0);
  };
  const observe = world.observe ?? (async () => world.workers ?? [worker('w1', { cpuCores: 8 })]);
  const all = createRecordingActivities({
    livekit,
    livekitKeys: { apiKey: 'devkey', apiSecret: 'a-secret-of-at-least-thirty-two-bytes' },
    records: {
      create: async (info) => void told.push(['created', info]),
      update: async (info) => void told.push(['updated', info]),
    },
    workers: {
      async start(topic, bytes) {
        const message = decodeStart(bytes);
        sent.push({ topic, message });
        return world.start?.(topic, message, grants) ?? ACCEPTED;
      },
      ...world.bus,
    } as Workers,
    grants,
    departures: createDepartures(),
    fleets: new Map([
      [
        'default',
        {
          choice: createWorkerChoice(
            async () => ({
              workers: await observe(),
              activeEgresses: (world.onBus ?? []).map((egressId) => ({ egressId, onBus: true })),
            }),
            { marks: createPresence(createMemoryBroker().connect()) },
          ),
          protectBusy: (egressId: string) => void protectedEgresses.push(egressId),
          looksSoon: () => world.looksSoon ?? false,
        },
      ],
    ]),
    temporal: {} as Client,
    countFirst: count,
    kickFleet: world.kick ?? (async () => {}),
    rooms: createRoomWatch({ livekit, log: quiet }),
    log: quiet,
    storages: world.storages ?? { disk: { type: 'local', path: '/r' } },
    placeOf: world.placeOf ?? (async () => undefined),
    metrics: { startOutcome: (_, kind) => outcomes.push(kind) },
  });
  const run = <I, O>(activity: (input: I) => Promise<O>, with_: I): Promise<O> =>
    new MockActivityEnvironment({}, { logger: quiet }).run(activity, with_) as Promise<O>;
  const topics = () => sent.map(({ topic }) => topic);
  return { all, run, sent, topics, queries, outcomes, protectedEgresses, told, grants };
}

describe('dispatch', () => {
  it('wakes no fleet that looks soon by itself, unless somebody waits', async () => {
    const kicks: string[] = [];
    const kick = async (fleet: string) => void kicks.push(fleet);
    const started = activities({ kick, looksSoon: true });
    expect(await started.run(started.all.dispatch, dispatchInput())).toMatchObject({ kind: 'started' });
    expect(kicks).toEqual([]);
    const full = activities({ kick, looksSoon: true, workers: [] });
    expect(await full.run(full.all.dispatch, dispatchInput())).toMatchObject({ kind: 'no_capacity' });
    expect(kicks).toEqual(['default']);
  });

  it('grants one worker one start when nobody waits, and wakes the fleet', async () => {
    const kicks: string[] = [];
    const { all, run, topics, outcomes, protectedEgresses } = activities({
      kick: async (fleet) => void kicks.push(fleet),
    });
    expect(await run(all.dispatch, dispatchInput())).toEqual({
      kind: 'started',
      egressId: ID,
      acceptedAtMs: 1,
      worker: { id: 'w1', topic: 'w1' },
      roomId: 'RM_1',
    });
    expect(topics()).toEqual(['w1']);
    expect(kicks).toEqual(['default']);
    expect(outcomes).toEqual(['started']);
    expect(protectedEgresses).toEqual([ID]);
  });

  it('of one that the fleet has just admitted wakes nobody, and looks at no queue', async () => {
    const kicks: string[] = [];
    const { all, run, queries } = activities({ ahead: async () => 9, kick: async (fleet) => void kicks.push(fleet) });
    expect((await run(all.dispatch, dispatchInput({ admitted: true }))).kind).toBe('started');
    expect([kicks, queries]).toEqual([[], []]);
  });

  it('stands behind those who wait, does not count itself, and wakes the fleet', async () => {
    const kicks: string[] = [];
    const { all, run, topics, queries, outcomes } = activities({
      ahead: async () => 2,
      kick: async (fleet) => void kicks.push(fleet),
    });
    const outcome = await run(all.dispatch, dispatchInput());
    expect(outcome).toEqual({ kind: 'no_capacity', message: '2 recordings wait before this one', roomId: 'RM_1' });
    expect(queries[0]).toContain(`WorkflowId NOT IN ('${ID}')`);
    expect([topics(), kicks, outcomes]).toEqual([[], ['default'], ['no_capacity']]);
  });

  it('that must wait says its place in the queue, where somebody knows it', async () => {
    const asked: string[][] = [];
    const inQueue = async (placeOf: RecordingDeps['placeOf']) => {
      const { all, run } = activities({ ahead: async () => 2, placeOf });
      return run(all.dispatch, dispatchInput());
    };
    const place = { position: 3, expectedAtMs: 5_000 };
    const told = await inQueue(async (...of) => {
      asked.push(of);
      return place;
    });
    expect(told).toMatchObject({ kind: 'no_capacity', place });
    expect(asked).toEqual([['default', ID]]);
    for (const silent of [() => Promise.reject(new Error('Redis is away')), () => new Promise<never>(() => {})]) {
      const outcome = await inQueue(silent);
      expect(outcome).toEqual({ kind: 'no_capacity', message: '2 recordings wait before this one', roomId: 'RM_1' });
    }
  });

  it('that starts asks for no place', async () => {
    const { all, run } = activities({ placeOf: () => Promise.reject(new Error('asked')) });
    expect((await run(all.dispatch, dispatchInput())).kind).toBe('started');
  });

  it('finds no capacity without a free worker', async () => {
    const { all, run } = activities({ workers: [worker('w1', { cpuCores: 2 })] });
    expect((await run(all.dispatch, dispatchInput())).kind).toBe('no_capacity');
  });

  it('says that the room is missing before it says that no worker is free', async () => {
    const { all, run } = activities({ workers: [], livekit: { roomSid: async () => undefined } });
    expect((await run(all.dispatch, dispatchInput())).kind).toBe('room_missing');
  });

  it('sends nothing while Temporal or the provider is away, and has not seen the room', async () => {
    const { all, run, topics } = activities({
      ahead: () => Promise.reject(new Error('visibility is down')),
      kick: () => Promise.reject(new Error('no Temporal')),
    });
    expect(await run(all.dispatch, dispatchInput())).toEqual({
      kind: 'no_capacity',
      message: 'could not look for a free worker: visibility is down',
    });
    expect(topics()).toEqual([]);
  });

  it('gives one worker to one of those who ask at the same moment, and counts what was just sent there', async () => {
    const { all, run } = activities({ workers: [worker('w1', { cpuCores: 5 })] });
    const ids = [ID, 'EG_another23456', 'EG_another34567'];
    const answers = await Promise.all(ids.map((recordingId) => run(all.dispatch, dispatchInput({ recordingId }))));
    expect(answers.map(({ kind }) => kind)).toEqual(['started', 'no_capacity', 'no_capacity']);
  });

  it('sends an attempt under its own id, with file names of its own and the sid of the room', async () => {
    const { all, run, sent } = activities();
    await run(all.dispatch, dispatchInput({ attempt: 2 }));
    const message = sent[0]?.message;
    expect(message).toMatchObject({ egressId: `${ID}_2`, retryCount: 2, roomId: 'RM_1', roomName: 'demo', token: '' });
    expect(fileOf(message)?.filepath).toBe('demo-{retry}.mp4');
  });

  it("carries the keys of the storage that its request only names, and a storage's name no further", async () => {
    const bucket = { type: 's3' as const, bucket: 'b', accessKey: 'AK', secret: 's', region: '', endpoint: '' };
    const storages = {
      disk: { ...bucket, sessionToken: '', workerIdentity: false, forcePathStyle: false, prefix: '' },
    };
    const { all, run, sent } = activities({ storages });
    await run(all.dispatch, dispatchInput());
    expect(fileOf(sent[0]?.message)?.output).toMatchObject({
      case: 's3',
      value: { bucket: 'b', accessKey: 'AK', secret: 's' },
    });
  });

  it('does not ask LiveKit for a room whose sid came with a request that has not waited', async () => {
    const roomSid = () => Promise.reject(new Error('not asked'));
    const { all, run } = activities({ livekit: { roomSid } });
    const outcome = await run(
      all.dispatch,
      dispatchInput({ queuedSinceMs: Date.now(), wire: wireOf({ roomId: 'RM_2' }) }),
    );
    expect(outcome).toMatchObject({ kind: 'started', roomId: 'RM_2' });
  });

  it.each([
    ['after it waited', {}],
    ['as its next part', { queuedSinceMs: Date.now(), attempt: 1 }],
  ])('does not record another room that has the name now, %s', async (_, change) => {
    const { all, run, sent } = activities({ livekit: { roomSid: async () => 'RM_3' } });
    const input = dispatchInput({ wire: wireOf({ roomId: 'RM_2' }), roomId: 'RM_2', ...change });
    expect(await run(all.dispatch, input)).toEqual({
      kind: 'room_missing',
      message: 'room "demo" was closed; another one has its name now',
    });
    expect(sent).toEqual([]);
    expect((await run(all.dispatch, { ...input, roomId: 'RM_3' })).kind).toBe('started');
  });

  it('tells which room it waits for a worker in', async () => {
    const { all, run } = activities({ workers: [] });
    expect(await run(all.dispatch, dispatchInput())).toMatchObject({ kind: 'no_capacity', roomId: 'RM_1' });
    const another = dispatchInput({ roomId: 'RM_0' });
    expect((await run(all.dispatch, another)).kind).toBe('room_missing');
  });

  it('gives the recorder its name in the room only when the worker before is proven dead', async () => {
    const { all, run, sent } = activities();
    await run(all.dispatch, dispatchInput({ attempt: 1, keepsIdentity: true }));
    const [, claims = ''] = sent[0]?.message.token.split('.') ?? [];
    expect(JSON.parse(Buffer.from(claims, 'base64url').toString())).toMatchObject({ sub: ID, kind: 'egress' });
  });

  it('asks for the layout that was changed meanwhile, and else for that of the request', async () => {
    const { all, run, sent } = activities();
    const wire = wireOf();
    await run(all.dispatch, dispatchInput({ wire }));
    await run(all.dispatch, dispatchInput({ wire, attempt: 1, layout: 'single-speaker' }));
    const layouts = sent.map(({ message: { request } }) => request.case === 'roomComposite' && request.value.layout);
    expect(layouts).toEqual(['', 'single-speaker']);
  });

  it('passes over a worker that does not claim, and asks the next with the same id', async () => {
    const { all, run, sent, topics } = activities({
      workers: [worker('w1'), worker('w2')],
      start: (topic) => (topic === 'w1' ? SILENT : ACCEPTED),
    });
    expect(await run(all.dispatch, dispatchInput())).toMatchObject({ kind: 'started', worker: { id: 'w2' } });
    expect(topics()).toEqual(['w1', 'w2']);
    expect(new Set(sent.map(({ message }) => message.egressId))).toEqual(new Set([ID]));
  });

  it('asks four workers at most, and is then no doubt', async () => {
    const workers = [1, 2, 3, 4, 5, 6].map((number) => worker(`w${number}`));
    const { all, run, topics, grants } = activities({ workers, start: () => SILENT });
    expect(await run(all.dispatch, dispatchInput())).toMatchObject({
      kind: 'no_capacity',
      message: expect.stringContaining('did not claim'),
    });
    expect(new Set(topics()).size).toBe(4);
    expect(topics()).toHaveLength(4);
    expect(grants.rightOf(ID)).toBe('none');
  });

  it('passes over for a while whoever did not claim', async () => {
    const { all, run, topics } = activities({ workers: [worker('w1')], start: () => SILENT });
    await run(all.dispatch, dispatchInput());
    const again = await run(all.dispatch, dispatchInput({ recordingId: 'EG_another23456' }));
    expect(again).toMatchObject({ kind: 'no_capacity', message: expect.stringContaining('1 passed over') });
    expect(topics()).toEqual(['w1']);
  });

  it('grants nothing when preparing it took as long as the attempt is waited for', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    try {
      const roomSid = async () => {
        vi.setSystemTime(Date.now() + DISPATCH_LIMIT_MS);
        return 'RM_1';
      };
      const { all, run, topics } = activities({ workers: [worker('w1')], livekit: { roomSid } });
      expect(await run(all.dispatch, dispatchInput())).toMatchObject({ kind: 'no_capacity' });
      expect(topics()).toEqual([]);
    } finally {
      vi.useRealTimers();
    }
  });

  it.each<[string, DispatchReply, StartOutcome['kind'], ReturnType<Grants['rightOf']>]>([
    ['does not answer', { kind: 'no_answer', message: '' }, 'unknown', 'given_up'],
    ['has no room after all', { kind: 'error', code: 'resource_exhausted', message: '' }, 'declined', 'given_up'],
    ['runs it already', { kind: 'error', code: 'already_exists', message: '' }, 'unknown', 'given_up'],
    ['refuses the request', { kind: 'error', code: 'invalid_argument', message: '' }, 'refused', 'none'],
  ])('never asks a second worker when the one that was granted it %s', async (_, reply, kind, grant) => {
    const { all, run, topics, grants, protectedEgresses } = activities({
      workers: [worker('w1'), worker('w2')],
      start: () => reply,
    });
    expect((await run(all.dispatch, dispatchInput())).kind).toBe(kind);
    expect(topics()).toEqual(['w1']);
    expect(grants.rightOf(ID)).toBe(grant);
    expect(protectedEgresses).toEqual([]);
  });

  it('lets the worker create its record while it starts, and nobody afterwards', async () => {
    const seen: string[] = [];
    const { all, run, grants } = activities({
      start: (_, { egressId }, granted) => {
        seen.push(granted.rightOf(egressId));
        return ACCEPTED;
      },
    });
    await run(all.dispatch, dispatchInput());
    expect([...seen, grants.rightOf(ID)]).toEqual(['granted', 'none']);
  });

  it('has back the room of a start that did not happen', async () => {
    const { all, run, topics } = activities({
      workers: [worker('w1'), worker('w2')],
      start: () => ({ kind: 'error', code: 'resource_exhausted', message: 'full' }),
    });
    await run(all.dispatch, dispatchInput());
    // w1 is passed over for a while: only w2 is left for others.
    await run(all.dispatch, dispatchInput({ recordingId: 'EG_another23456' }));
    expect(topics()).toEqual(['w1', 'w2']);
  });

  it('does not start in a room that does not exist', async () => {
    const { all, run, sent, outcomes } = activities({ livekit: { roomSid: async () => undefined } });
    expect(await run(all.dispatch, dispatchInput())).toEqual({
      kind: 'room_missing',
      message: 'room "demo" does not exist',
    });
    expect(sent).toEqual([]);
    expect(outcomes).toEqual(['room_missing']);
  });

  it('refuses a storage that is no longer configured', async () => {
    const { all, run, sent } = activities({ storages: { other: { type: 'local', path: '/r' } } });
    expect(await run(all.dispatch, dispatchInput())).toMatchObject({
      kind: 'refused',
      errorCode: 400,
      message: expect.stringContaining('other'),
    });
    expect(sent).toEqual([]);
  });

  it.each<[string, World]>([
    ['LiveKit', { livekit: { roomSid: () => Promise.reject(new Error('LiveKit is away')) } }],
    ['the workers', { observe: () => Promise.reject(new Error('the platform is away')) }],
  ])('that cannot look at %s has sent nothing, and says so', async (_, world) => {
    const { all, run, sent, grants } = activities(world);
    expect(await run(all.dispatch, dispatchInput())).toEqual({
      kind: 'no_capacity',
      message: expect.stringMatching(
        /^(the start could not be prepared|could not look for a free worker): .* is away$/,
      ),
    });
    expect(sent).toEqual([]);
    expect(grants.rightOf(ID)).toBe('none');
  });

  it('is not undone by a fleet that cannot be woken', async () => {
    const { all, run } = activities({ kick: () => Promise.reject(new Error('no Temporal')) });
    expect((await run(all.dispatch, dispatchInput())).kind).toBe('started');
  });
});

describe('findAttempt', () => {
  const inTurn = (...lists: string[][]) => ({ active: async () => new Set(lists.shift()) });
  const onPort = [worker('w1', { topic: 't-w1', egresses: [egress(ID)] })];

  it('finds what a worker names twice, and where, if a port shows it', async () => {
    const { all, run } = activities({ bus: inTurn([ID], ['EG_other', ID]), workers: onPort });
    expect(await run(all.findAttempt, { egressId: ID, fleet: 'default' })).toEqual({
      worker: { id: 'w1', topic: 't-w1' },
    });
    const hidden = activities({ bus: inTurn([ID], [ID]) });
    expect(await hidden.run(hidden.all.findAttempt, { egressId: ID, fleet: 'default' })).toEqual({});
  });

  it('finds nothing that a worker names no more a second later, or never', async () => {
    const { all, run } = activities({ bus: inTurn([ID], []), workers: onPort });
    expect(await run(all.findAttempt, { egressId: ID, fleet: 'default' })).toBeNull();
    const frozen = activities({ bus: inTurn([]), workers: onPort });
    expect(await frozen.run(frozen.all.findAttempt, { egressId: ID, fleet: 'default' })).toBeNull();
  });

  it('knows nothing when no worker could be asked', async () => {
    const active = () => Promise.reject(new Error('the bus is away'));
    const { all, run } = activities({ bus: { active } });
    await expect(run(all.findAttempt, { egressId: ID, fleet: 'default' })).rejects.toThrow('the bus is away');
  });
});

describe('a fleet that the configuration has no more', () => {
  const gone =
    'the configuration has no fleet "gone" any more (it has default): bring it back, or cancel what waits for it';

  it('keeps its recordings waiting, and says why', async () => {
    const { all, run, sent } = activities();
    expect(await run(all.dispatch, dispatchInput({ fleet: 'gone' }))).toEqual({ kind: 'no_capacity', message: gone });
    expect(sent).toEqual([]);
  });

  it('lets what runs on one of its workers go on', async () => {
    const { all, run } = activities();
    const inspection = await run(all.inspectPart, { egressId: ID, fleet: 'gone', identity: ID, request });
    expect(inspection).toMatchObject({ onWorker: 'unknown' });
  });
});

const person = (identity: string) => ({ identity, metadata: '', trackIds: [], sends: [], isPerson: false });
const inRoom = (...identities: string[]) => ({ listParticipants: async () => identities.map(person) });

describe('inspectPart', () => {
  it('says where its egress was seen', async () => {
    const { all, run } = activities({
      workers: [worker('w1', { egresses: [egress(ID, 4)] })],
      livekit: inRoom('ann', ID),
    });
    const place = { egressId: ID, fleet: 'default', identity: ID, request, worker: { id: 'w1', topic: 'w1' } };
    expect(await run(all.inspectPart, place)).toEqual({
      inRoom: true,
      room: 'alive',
      onWorker: 'yes',
      publishes: false,
    });
  });

  it.each<[what: string, Partial<Workers>, onWorker: string]>([
    ['its worker names it', { active: async () => new Set([ID]) }, 'yes'],
    ['no worker names it, as one that is frozen', { active: async () => new Set() }, 'unknown'],
    ['no worker can be asked', { active: () => Promise.reject(new Error('away')) }, 'unknown'],
  ])('asks the workers about one that only listens on the bus: %s', async (_, bus, onWorker) => {
    const silent = worker('w1', { state: 'unreachable', answered: false });
    const { all, run } = activities({ workers: [silent], onBus: [ID], bus });
    const place = { egressId: ID, identity: ID, fleet: 'default', request, worker: { id: 'w1', topic: 'w1' } };
    expect(await run(all.inspectPart, place)).toMatchObject({ onWorker });
  });

  it('knows a recorder by the name under which it joined', async () => {
    const { all, run } = activities({ livekit: inRoom(ID) });
    const later = { egressId: `${ID}_1`, fleet: 'default', request };
    expect(await run(all.inspectPart, { ...later, identity: ID })).toMatchObject({ inRoom: true });
    expect(await run(all.inspectPart, { ...later, identity: `${ID}_1` })).toMatchObject({ inRoom: false });
  });

  it('reads the layout that LiveKit has told the recorder', async () => {
    const listParticipants = async () => [
      { identity: ID, metadata: '{"layout":"grid"}', trackIds: [], sends: [], isPerson: false },
    ];
    const { all, run } = activities({ livekit: { listParticipants } });
    expect(await run(all.inspectPart, { egressId: ID, fleet: 'default', identity: ID, request })).toMatchObject({
      layout: 'grid',
    });
  });

  it('says whether somebody else publishes what is recorded', async () => {
    const track = { id: 'TR_a', kind: 'audio' as const, isScreen: false };
    const publisher = (identity: string) => ({ ...person(identity), sends: [track] });
    for (const [who, publishes] of [
      [[publisher('ann'), person(ID)], true],
      [[person('ann'), publisher(ID)], false],
    ] as const) {
      const { all, run } = activities({ livekit: { listParticipants: async () => [...who] } });
      const asked = { egressId: ID, fleet: 'default', identity: ID, request };
      expect(await run(all.inspectPart, asked)).toMatchObject({ publishes });
    }
  });

  it('takes another room of the same name for no sign of life', async () => {
    const { all, run } = activities();
    const about = (roomId?: string) => ({ request, ...(roomId === undefined ? {} : { roomId }) });
    expect(await run(all.inspectRoom, about())).toEqual({ room: 'alive' });
    expect(await run(all.inspectRoom, about('RM_1'))).toEqual({ room: 'alive' });
    expect(await run(all.inspectRoom, about('RM_0'))).toEqual({ room: 'gone' });
    const part = { egressId: ID, fleet: 'default', identity: ID, request, roomId: 'RM_0' };
    expect(await run(all.inspectPart, part)).toMatchObject({ room: 'gone' });
  });

  it('asks LiveKit nothing about a web page, which has no room', async () => {
    const fail = () => Promise.reject(new Error('not asked'));
    const web = recordingRequestSchema.parse({ source: { type: 'web', url: 'https://example.com' } });
    const { all, run } = activities({ livekit: { listParticipants: fail, roomSid: fail } });
    const inspection = await run(all.inspectPart, { egressId: ID, fleet: 'default', identity: ID, request: web });
    expect(inspection).toEqual({ inRoom: false, room: 'alive', onWorker: 'no' });
  });
});

describe('stopPart', () => {
  const stopping = (stop: Workers['stop']) => {
    const { all, run } = activities({ bus: { stop } });
    return run(all.stopPart, { egressId: ID });
  };

  it('brings back what the worker says of it', async () => {
    const info = new EgressInfo({ egressId: ID, status: EgressStatus.EGRESS_ENDING });
    expect(await stopping(async () => info)).toMatchObject({ egressId: ID, status: 'ENDING' });
  });

  it('has nothing to stop when it has ended, or no worker runs it', async () => {
    expect(await stopping(() => Promise.reject(new WorkerRefusal('failed_precondition', 'ended')))).toBeNull();
    expect(await stopping(() => Promise.reject(new WorkerSilent(ID)))).toBeNull();
  });

  it('has others asked before the worker on which it never recorded', async () => {
    const workers = [worker('w1'), worker('w2', { cpuCores: 8 })];
    const { all, run, topics } = activities({ workers, bus: { stop: () => Promise.reject(new WorkerSilent(ID)) } });
    await run(all.stopPart, { egressId: ID, hungOn: { fleet: 'default', topic: 'w1' } });
    await run(all.dispatch, dispatchInput());
    expect(topics()).toEqual(['w2']);
  });

  it('fails when the workers could not be asked', async () => {
    await expect(stopping(() => Promise.reject(new Error('the bus is away')))).rejects.toThrow('the bus is away');
  });
});

describe('changeRunningStreams', () => {
  const change = { egressId: ID, add: ['rtmp://a/b'], remove: [] };
  const changing = (updateStream: Workers['updateStream']) => {
    const { all, run } = activities({ bus: { updateStream } });
    return run(all.changeRunningStreams, change);
  };

  it('brings back what the worker says, or its refusal with code and words', async () => {
    expect(await changing(async ({ egressId }) => new EgressInfo({ egressId }))).toMatchObject({
      kind: 'changed',
      report: { egressId: ID },
    });
    const refusal = new WorkerRefusal('invalid_argument', 'url is not valid');
    expect(await changing(() => Promise.reject(refusal))).toEqual({
      kind: 'refused',
      code: 'invalid_argument',
      message: 'url is not valid',
    });
    expect(await changing(() => Promise.reject(new WorkerSilent(ID)))).toMatchObject({ code: 'unavailable' });
  });
});

describe('publishRecord', () => {
  const facts = (change: Partial<RecordFacts> = {}): RecordFacts => ({
    recordingId: ID,
    wire: wireOf(),
    acceptedAtMs: 1_000,
    state: { status: 'ACTIVE' },
    reports: [],
    retries: 0,
    unlisted: false,
    told: 'STARTING',
    ...change,
  });
  const publish = async (what: RecordFacts, recordOf: LiveKitClient['recordOf'] = async () => null) => {
    const { all, run, told } = activities({ livekit: { recordOf } });
    await run(all.publishRecord, what);
    return told.map(([how, { status }]) => `${how} ${EgressStatus[status]}`);
  };

  it('updates a record that LiveKit has, and does not ask for it', async () => {
    const recordOf = () => Promise.reject(new Error('not asked'));
    expect(await publish(facts(), recordOf)).toEqual(['updated EGRESS_ACTIVE']);
  });

  it('first makes one that LiveKit does not have, STARTING as every egress begins', async () => {
    expect(await publish(facts({ unlisted: true }))).toEqual(['created EGRESS_STARTING', 'updated EGRESS_ACTIVE']);
  });

  it('makes none where LiveKit took it after all', async () => {
    const recordOf = async () => new EgressInfo({ egressId: ID });
    expect(await publish(facts({ unlisted: true }), recordOf)).toEqual(['updated EGRESS_ACTIVE']);
  });

  it('tells of a beginning once', async () => {
    expect(await publish(facts({ unlisted: true, state: { status: 'STARTING' } }))).toEqual([
      'created EGRESS_STARTING',
    ]);
  });

  it('of one that waits says what changed, without making it anew', async () => {
    expect(await publish(facts({ state: { status: 'STARTING' } }))).toEqual(['updated EGRESS_STARTING']);
    const recordOf = async () => new EgressInfo({ egressId: ID });
    const asked = facts({ unlisted: true, state: { status: 'STARTING' } });
    expect(await publish(asked, recordOf)).toEqual(['updated EGRESS_STARTING']);
  });

  it('is repeated when LiveKit cannot be asked', async () => {
    const recordOf = () => Promise.reject(new Error('LiveKit is away'));
    await expect(publish(facts({ unlisted: true }), recordOf)).rejects.toThrow('LiveKit is away');
  });
});
