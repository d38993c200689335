// The recording's activities with a LiveKit, a fleet and workers that answer by script: what is sent, and what is no ambiguity.
import type { Client } from '@temporalio/client';
import { MockActivityEnvironment } from '@temporalio/testing';
import { describe, expect, it } from 'vitest';
import { createFreeWorkers } from '../../../src/activities/free-workers.ts';
import { createRecordingActivities, type RecordingDeps } from '../../../src/activities/recording.ts';
import type { ObservedWorker } from '../../../src/fleet/observation.ts';
import type { LiveKitClient } from '../../../src/livekit/client.ts';
import type { EgressSnapshot } from '../../../src/recording/egress.ts';
import { recordingRequestSchema } from '../../../src/recording/request.ts';
import type { StartOutcome } from '../../../src/recording/start-outcome.ts';

const request = recordingRequestSchema.parse({ source: { type: 'room', room: 'demo' } });
const marker = { recordingId: 'r1', part: 1, attempt: 2 };
const input = { marker, fleet: 'default', request, costCores: 4, admitted: false };
const turn = { recordingId: 'r1', fleet: 'default', request, costCores: 4, queuedSinceMs: 0 };
const worker = (more: Partial<ObservedWorker> = {}): ObservedWorker => ({
  id: 'w1',
  state: 'ready',
  owned: true,
  launchedAtMs: 0,
  cpuCores: 8,
  answered: true,
  egresses: [],
  ...more,
});

const quiet = { log() {}, trace() {}, debug() {}, info() {}, warn() {}, error() {} };

interface World {
  livekit?: Partial<LiveKitClient>;
  workers?: ObservedWorker[];
  ahead?: () => Promise<number>;
  kick?: RecordingDeps['kickFleet'];
  storages?: RecordingDeps['settings']['storages'];
}

function activities(world: World = {}) {
  const sent: string[] = [];
  const queries: string[] = [];
  const outcomes: StartOutcome['kind'][] = [];
  const protectedEgresses: string[] = [];
  const livekit = {
    start: async ({ method }) => {
      sent.push(method);
      return { kind: 'accepted', egressId: `EG_${sent.length}`, atMs: 1 };
    },
    roomExists: async () => true,
    ...world.livekit,
  } as LiveKitClient;
  const count = async (query: string) => {
    queries.push(query);
    return { count: await (world.ahead?.() ?? 0) };
  };
  const all = createRecordingActivities({
    livekit,
    temporal: { workflow: { count } } as unknown as Client,
    free: createFreeWorkers(async () => world.workers ?? [worker()]),
    kickFleet: world.kick ?? (async () => {}),
    protectBusy: (egressId) => protectedEgresses.push(egressId),
    settings: {
      apiKey: 'devkey',
      publicUrl: 'https://reelkit',
      pathTemplate: '{room}',
      storages: world.storages ?? { disk: { type: 'local', path: '/r' } },
      defaultStorage: 'disk',
    },
    metrics: { startOutcome: (kind) => outcomes.push(kind) },
  });
  const run = <I, O>(activity: (input: I) => Promise<O>, with_: I): Promise<O> =>
    new MockActivityEnvironment({}, { logger: quiet }).run(activity, with_) as Promise<O>;
  return { all, run, sent, queries, outcomes, protectedEgresses };
}

describe('requestCapacity', () => {
  it('says nothing when nobody waits and a worker is free, and lets the fleet sleep', async () => {
    const kicks: string[] = [];
    const { all, run } = activities({ kick: async (fleet) => void kicks.push(fleet) });
    expect(await run(all.requestCapacity, turn)).toBeNull();
    expect(kicks).toEqual([]);
  });

  it('stands behind those who wait, does not count itself, and wakes the fleet', async () => {
    const kicks: string[] = [];
    const { all, run, queries, outcomes } = activities({
      ahead: async () => 2,
      kick: async (fleet) => void kicks.push(fleet),
    });
    expect(await run(all.requestCapacity, turn)).toEqual({
      kind: 'no_capacity',
      sent: false,
      message: '2 recordings wait before this one',
    });
    expect(queries[0]).toContain("WorkflowId != 'recording/r1'");
    expect(kicks).toEqual(['default']);
    expect(outcomes).toEqual(['no_capacity']);
  });

  it('finds no capacity without a free worker', async () => {
    const { all, run } = activities({ workers: [worker({ cpuCores: 2 })] });
    expect(await run(all.requestCapacity, turn)).toMatchObject({ kind: 'no_capacity', sent: false });
  });

  it('says that the room is missing before it says that no worker is free', async () => {
    const { all, run } = activities({ workers: [], livekit: { roomExists: async () => false } });
    expect((await run(all.requestCapacity, turn))?.kind).toBe('room_missing');
  });

  it('is answered although Temporal or the provider is away, or the fleet cannot be woken', async () => {
    const { all, run } = activities({
      ahead: () => Promise.reject(new Error('visibility is down')),
      kick: () => Promise.reject(new Error('no Temporal')),
    });
    expect(await run(all.requestCapacity, turn)).toEqual({
      kind: 'no_capacity',
      sent: false,
      message: 'could not look for a free worker: visibility is down',
    });
  });

  it('gives one worker to one of those who ask at the same moment, and to the same one again', async () => {
    const { all, run } = activities({ workers: [worker({ cpuCores: 5 })] });
    const answers = await Promise.all(
      ['r1', 'r2', 'r3'].map((recordingId) => run(all.requestCapacity, { ...turn, recordingId })),
    );
    expect(answers.map((answer) => answer?.kind)).toEqual([undefined, 'no_capacity', 'no_capacity']);
    expect(await run(all.requestCapacity, turn)).toBeNull();
  });

  it('counts what was just sent against what a worker still seems to have free', async () => {
    const { all, run } = activities({ workers: [worker({ cpuCores: 5 })] });
    await run(all.startPart, input);
    expect(await run(all.requestCapacity, { ...turn, recordingId: 'r2' })).toMatchObject({ kind: 'no_capacity' });
  });

  it('has back what LiveKit did not take', async () => {
    const { all, run } = activities({
      workers: [worker({ cpuCores: 5 })],
      livekit: { start: async () => ({ kind: 'error', httpStatus: 503, twirpCode: 'unavailable', message: 'full' }) },
    });
    expect(await run(all.startPart, input)).toMatchObject({ kind: 'no_capacity', sent: true });
    expect(await run(all.requestCapacity, { ...turn, recordingId: 'r2' })).toBeNull();
  });
});

describe('startPart', () => {
  it('sends one StartEgress and wakes the fleet, whose queue it does not look at', async () => {
    const kicks: string[] = [];
    const { all, run, sent, queries, outcomes, protectedEgresses } = activities({
      workers: [],
      ahead: async () => 9,
      kick: async (fleet) => void kicks.push(fleet),
    });
    expect(await run(all.startPart, input)).toEqual({ kind: 'started', egressId: 'EG_1', acceptedAtMs: 1 });
    expect(sent).toEqual(['StartRoomCompositeEgress']);
    expect(queries).toEqual([]);
    expect(kicks).toEqual(['default']);
    expect(outcomes).toEqual(['started']);
    expect(protectedEgresses).toEqual(['EG_1']);
  });

  it('is not undone by a fleet that cannot be woken', async () => {
    const { all, run } = activities({ kick: () => Promise.reject(new Error('no Temporal')) });
    expect((await run(all.startPart, input)).kind).toBe('started');
  });

  it('refuses a storage that is no longer configured', async () => {
    const { all, run, sent } = activities({ storages: { other: { type: 'local', path: '/r' } } });
    expect(await run(all.startPart, input)).toMatchObject({
      kind: 'refused',
      message: expect.stringContaining('other'),
    });
    expect(sent).toEqual([]);
  });
});

describe('free workers', () => {
  it('say why none can be launched', async () => {
    const free = createFreeWorkers(
      async () => [],
      () => 'exceeded quota: media',
    );
    expect(await free.take('r1', 4)).toBe('no worker is ready; exceeded quota: media');
  });

  it('say what keeps the workers that are on their way', async () => {
    const booting = (id: string, reason: string) => ({
      ...worker(),
      id,
      state: 'booting' as const,
      answered: false,
      reason,
    });
    const free = createFreeWorkers(async () => [
      booting('w1', 'no node yet: 0/3 nodes are available'),
      booting('w2', 'image pull failing (ErrImagePull): x'),
      booting('w3', 'no node yet: 0/3 nodes are available'),
    ]);
    expect(await free.take('r1', 4)).toBe(
      'no worker is ready; 2 on the way: no node yet: 0/3 nodes are available; 1 on the way: image pull failing (ErrImagePull): x',
    );
  });

  it('do not count an egress twice, once as sent and once as shown', async () => {
    const workers = [worker({ cpuCores: 10 })];
    const free = createFreeWorkers(async () => workers);
    free.sending('r1', 4);
    free.startedAs('r1', 'EG_1');
    workers[0] = worker({ cpuCores: 10, egresses: [{ egressId: 'EG_1', costCores: 4 }] });
    expect(await free.take('r2', 4)).toBeUndefined();
  });

  it.each([
    ['yes', [worker({ egresses: [{ egressId: 'EG_1', costCores: 4 }] })]],
    ['no', [worker()]],
    ['no', []],
    ['no', [worker({ state: 'booting', answered: false }), worker({ state: 'gone', answered: false })]],
    ['unknown', [worker(), worker({ state: 'unreachable', answered: false })]],
    ['unknown', [worker({ state: 'draining', answered: false })]],
    // Young, so that it may boot, and running, so that it may be busy.
    ['unknown', [worker({ state: 'booting', answered: false, runs: true })]],
  ] as const)('show an egress: %s', async (expected, workers) => {
    expect(await createFreeWorkers(async () => [...workers]).showsEgress('EG_1', true)).toBe(expected);
  });

  it('take the word of a platform that does not reach a silent worker either, beside another witness', async () => {
    const silent = worker({ state: 'unreachable', answered: false, cutOff: true });
    const free = createFreeWorkers(async () => [silent]);
    expect(await free.showsEgress('EG_1', true)).toBe('no');
    expect(await free.showsEgress('EG_1', false)).toBe('unknown');
  });
});

describe('findPart', () => {
  const egress = (status: EgressSnapshot['status'], part: number, attempt: number): EgressSnapshot => ({
    egressId: `EG_${part}_${attempt}`,
    status,
    marker: { recordingId: 'r1', part, attempt },
    files: [],
  });
  const find = (egresses: EgressSnapshot[], untilMs = 0) => {
    const { all, run } = activities({ livekit: { listEgresses: async () => egresses } });
    return run(all.findPart, { marker, request, untilMs });
  };

  it('finds the egress that runs, whichever attempt it is of', async () => {
    expect((await find([egress('FAILED', 1, 2), egress('ACTIVE', 1, 1)]))?.egressId).toBe('EG_1_1');
  });

  it('finds the ended egress of this attempt', async () => {
    expect((await find([egress('FAILED', 1, 1), egress('FAILED', 1, 2)]))?.egressId).toBe('EG_1_2');
  });

  it('takes the ended egress of an earlier attempt only when no other came in time', async () => {
    const startedAt = Date.now();
    expect((await find([egress('FAILED', 1, 1)], startedAt + 1_500))?.egressId).toBe('EG_1_1');
    expect(Date.now() - startedAt).toBeGreaterThanOrEqual(1_500);
  });

  it('finds nothing of another part or recording', async () => {
    const other = { ...egress('ACTIVE', 1, 2), marker: { recordingId: 'r2', part: 1, attempt: 2 } };
    expect(await find([egress('ACTIVE', 2, 1), other])).toBeNull();
  });
});

describe('inspectPart', () => {
  it('stops every other egress of the same part, and says what it saw', async () => {
    const stopped: string[] = [];
    const mine = { egressId: 'EG_1', status: 'ACTIVE', room: 'demo', marker, files: [] } as EgressSnapshot;
    const { all, run } = activities({
      workers: [worker({ egresses: [{ egressId: 'EG_1', costCores: 4 }] })],
      livekit: {
        getEgress: async () => mine,
        listIdentities: async () => ['ann', 'EG_1'],
        listActiveEgresses: async () => [
          mine,
          { ...mine, egressId: 'EG_2', marker: { ...marker, attempt: 1 } },
          { ...mine, egressId: 'EG_3', marker: { ...marker, part: 2 } },
          { ...mine, egressId: 'EG_4', marker: { ...marker, recordingId: 'r2' } },
        ],
        stopEgress: async (id) => {
          stopped.push(id);
          throw new Error('request timed out');
        },
      },
    });
    expect(await run(all.inspectPart, { marker, egressId: 'EG_1', request })).toEqual({
      egress: mine,
      inRoom: true,
      room: 'alive',
      onWorker: 'yes',
    });
    expect(stopped).toEqual(['EG_2']);
  });
});
