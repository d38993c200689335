// One pass from end to end with a world in memory: what is read, in which order, and what failures leave behind.
import { describe, expect, it, vi } from 'vitest';
import { runPass } from '../../../src/activities/fleet.ts';
import type { FleetDeps } from '../../../src/activities/fleet-deps.ts';
import { type OpenRecording, type RecordingState, toOpenRecording } from '../../../src/activities/open-recordings.ts';
import { CapacityError, type LaunchResult, type Worker } from '../../../src/capacity/provider.ts';
import { type Arrivals, createArrivals } from '../../../src/fleet/arrivals.ts';
import type { Doubt } from '../../../src/fleet/doubt.ts';
import { EMPTY_MEMORY } from '../../../src/fleet/observation.ts';
import type { ProbeAnswer } from '../../../src/livekit/probe.ts';
import { LIMITS, memory, NOW, POLICY, rec } from '../../support/fleet.ts';

interface World {
  /** What each look at Temporal's index gives; the last one repeats. */
  open?: OpenRecording[][];
  workers?: Worker[];
  answers?: Record<string, ProbeAnswer>;
  /** Topics that listen; all workers by default. */
  topics?: string[];
  /** Egresses that listen, or why nobody can say. */
  egresses?: string[] | Error;
  cordoned?: string[];
  doubts?: Record<string, Doubt>;
}

const idle: ProbeAnswer = { answered: true, egresses: [], freeCores: 4, outOfService: false };
const running = (id: string, parts: Partial<Worker> = {}): Worker => ({
  id,
  state: 'running',
  launchedAtMs: NOW - 60_000,
  cpuCores: 4,
  owned: true,
  topic: id,
  healthUrl: `http://${id}/`,
  ...parts,
});
const waitingFor = (id: string, parts: Partial<OpenRecording> = {}): OpenRecording => ({
  id,
  stage: 'waiting',
  waitingFor: 'capacity',
  priority: 3,
  costCores: 4,
  sinceMs: NOW - 1_000,
  ...parts,
});
const R = rec('r');
function arrive(arrivals: Arrivals, id: string, acceptedAtMs?: number) {
  arrivals.expect({ id, fleet: 'test', costCores: 4 });
  if (acceptedAtMs !== undefined) arrivals.accepted(id, acceptedAtMs);
}

function createWorld(world: World = {}) {
  const looks = [...(world.open ?? [[]])];
  const deps = {
    fleets: ['test'],
    size: LIMITS,
    recordings: {
      list: vi.fn(async () => looks[0] ?? []),
      countQueue: vi.fn(async () => ((looks.length > 1 ? looks.shift() : looks[0]) ?? []).length),
      admit: vi.fn(async (_id: string) => true),
      askToLook: vi.fn(async () => true),
      statusOf: vi.fn(async (): Promise<RecordingState> => 'ended'),
      fleetOf: vi.fn(async (_id: string): Promise<string | undefined> => undefined),
      currentEgress: vi.fn(async (): Promise<string | undefined> => undefined),
    },
    provider: {
      kind: 'test',
      limits: LIMITS,
      list: vi.fn(async () => ({ workers: world.workers ?? [], asOfMs: NOW })),
      launch: vi.fn(
        async (count: number, token: string): Promise<LaunchResult> => ({
          problems: [],
          launched: Array.from({ length: count }, (_, index) => `w-${token}-${index}`),
        }),
      ),
      drain: vi.fn(async () => {}),
      remove: vi.fn(async () => {}),
      check: async () => [],
    },
    presence: {
      workers: vi.fn(async () => new Set(world.topics ?? world.workers?.map(({ id }) => id))),
      egresses: vi.fn(async () => {
        if (world.egresses instanceof Error) throw world.egresses;
        return new Set(world.egresses);
      }),
      cordoned: vi.fn(async () => new Set(world.cordoned)),
      drained: vi.fn(async () => new Set<string>()),
      doubts: vi.fn(async () => new Map(Object.entries(world.doubts ?? {}))),
      cordon: vi.fn(async () => {}),
      uncordon: vi.fn(async () => {}),
    },
    stopEgress: vi.fn(async () => {}),
    probe: vi.fn(async ({ healthUrl = '' }) => world.answers?.[new URL(healthUrl).hostname] ?? idle),
    policy: POLICY,
    bootTimeoutMs: POLICY.bootTimeoutMs,
    log: { info: vi.fn(), warn: vi.fn() },
    now: () => NOW,
    sleep: vi.fn(async (_ms: number) => {}),
  } satisfies FleetDeps;
  return deps;
}

const pass = (deps: FleetDeps, remembered = EMPTY_MEMORY, kicked = false) =>
  runPass(deps, { fleet: 'test', pass: 7, memory: remembered, kicked, token: 'run-7' });

/** Between looks at what has come; longer ones are patience with Temporal. */
const STEP_MS = 100;

describe('a kicked pass', () => {
  it('lets requests of one moment arrive, so that their whole need is asked for in one step', async () => {
    const burst = (count: number) => Array.from({ length: count }, (_, index) => waitingFor(`r${index}`));
    const deps = createWorld({ open: [burst(1), burst(4), burst(6)] });
    const report = await pass(deps, EMPTY_MEMORY, true);
    expect(deps.provider.launch).toHaveBeenCalledExactlyOnceWith(6, 'run-7');
    expect(report.line).toContain('launching 6');
    expect(report.memory.workers).toHaveProperty('w-run-7-0', { expectedSinceMs: NOW });
  });

  it('takes no single pause for the end of a burst', async () => {
    const [one, two] = [[waitingFor('r0')], [waitingFor('r0'), waitingFor('r1')]];
    const deps = createWorld({ open: [one, one, one, two] });
    await pass(deps, EMPTY_MEMORY, true);
    expect(deps.provider.launch).toHaveBeenCalledExactlyOnceWith(2, 'run-7');
  });

  it('counts what this process accepted and the index does not show yet, and nothing of it twice', async () => {
    const arrivals = createArrivals();
    for (const id of ['r0', 'r1', 'r2']) arrive(arrivals, id, NOW - 1_000);
    arrive(arrivals, 'ended long ago', NOW - 6_000);
    const deps = { ...createWorld({ open: [[waitingFor('r0')]] }), arrivals };
    await pass(deps, EMPTY_MEMORY, true);
    expect(deps.provider.launch).toHaveBeenCalledExactlyOnceWith(3, 'run-7');
  });

  it('counts who asks and is not accepted yet, until that is over', async () => {
    const arrivals = createArrivals();
    for (const id of ['r0', 'r1', 'refused']) arrive(arrivals, id);
    arrivals.forget('refused');
    const deps = { ...createWorld(), arrivals };
    await pass(deps, EMPTY_MEMORY, true);
    expect(deps.provider.launch).toHaveBeenCalledExactlyOnceWith(2, 'run-7');
  });

  it('of a burst that meets no worker launches for those it knows, when Temporal is too busy to list them', async () => {
    const arrivals = createArrivals();
    for (const id of ['r0', 'r1', 'r2']) arrive(arrivals, id, NOW - 1_000);
    const busy = () => new Promise<OpenRecording[]>(() => {});
    const deps = { ...createWorld(), arrivals };
    deps.recordings.list.mockImplementation(busy);
    const report = await pass(deps, EMPTY_MEMORY, true);
    expect(deps.provider.launch).toHaveBeenCalledExactlyOnceWith(3, 'run-7');
    expect(deps.recordings.countQueue).not.toHaveBeenCalled();
    expect(report.nextPassInMs).toBeLessThanOrEqual(POLICY.busyIntervalMs);
  });

  it.each([
    ['a worker', { workers: [running('w1')] }],
    ['an egress', { egresses: [R] }],
    ['a Redis that does not answer', { egresses: new Error('away') }],
  ])('with %s waits for the list, however long', async (_, world) => {
    const arrivals = createArrivals();
    arrive(arrivals, 'r0', NOW - 1_000);
    const deps = { ...createWorld(world), arrivals };
    let answer = (_open: OpenRecording[]) => {};
    deps.recordings.list.mockImplementation(() => new Promise((resolve) => (answer = resolve)));
    const done = pass(deps, EMPTY_MEMORY, true);
    await vi.waitFor(() => expect(deps.recordings.list).toHaveBeenCalled());
    expect(deps.presence.workers).not.toHaveBeenCalled();
    answer([]);
    await done;
    expect(deps.presence.workers).toHaveBeenCalled();
  });

  it('asks for nothing for a recording that was listed and has ended since, however young', async () => {
    const arrivals = createArrivals();
    arrive(arrivals, 'r0', NOW - 1_000);
    const worker = {
      workers: [running('w1')],
      answers: { w1: { ...idle, egresses: [{ egressId: 'EG_1', costCores: 4 }] } },
    };
    const listed = { ...createWorld({ ...worker, open: [[waitingFor('r0', { stage: 'recording' })]] }), arrivals };
    await pass(listed, EMPTY_MEMORY, false);
    const ended = { ...createWorld({ ...worker, open: [[]] }), arrivals };
    await pass(ended, EMPTY_MEMORY, false);
    expect(ended.provider.launch).not.toHaveBeenCalled();
  });

  it('asks for nothing for recordings that have ended and only wait until LiveKit has heard of it', async () => {
    const ended = (['completed', 'cancelled', 'failed', 'expired'] as const).map((stage) => ({
      ...waitingFor(rec(stage), { stage }),
      waitingFor: undefined,
    }));
    const deps = createWorld({ open: [ended as unknown as OpenRecording[]] });
    const report = await pass(deps, EMPTY_MEMORY, false);
    expect(deps.provider.launch).not.toHaveBeenCalled();
    expect(report).toMatchObject({ memory: EMPTY_MEMORY });
    expect(report.nextPassInMs).toBeUndefined();
  });

  it('of a stream of requests launches for those that are there, and waits for no others', async () => {
    const arrivals = createArrivals();
    const deps = { ...createWorld({ open: [[waitingFor('r0')]] }), arrivals };
    let looks = 0;
    deps.sleep.mockImplementation(async (ms) => {
      if (ms > STEP_MS) return;
      looks += 1;
      arrive(arrivals, `late-${looks}`, NOW);
    });
    await pass(deps, EMPTY_MEMORY, true);
    expect(deps.provider.launch).toHaveBeenCalledExactlyOnceWith(4, 'run-7');
  });

  it('does not wait for ever: a stream of requests is served while it comes', async () => {
    const stream = Array.from({ length: 50 }, (_, look) =>
      Array.from({ length: look }, (__, i) => waitingFor(`r${i}`)),
    );
    const deps = createWorld({ open: stream });
    await pass(deps, EMPTY_MEMORY, true);
    expect(deps.sleep.mock.calls.length).toBeLessThanOrEqual(4);
  });

  it('waits a moment for what it was kicked about, and looks again later when nothing shows', async () => {
    const deps = createWorld({ open: [[], [], [], [waitingFor('r')]] });
    await pass(deps, EMPTY_MEMORY, true);
    expect(deps.provider.launch).toHaveBeenCalledExactlyOnceWith(1, 'run-7');
    const report = await pass(createWorld(), EMPTY_MEMORY, true);
    expect(report.nextPassInMs).toBe(15_000);
    expect((await pass(createWorld(), EMPTY_MEMORY, false)).nextPassInMs).toBeUndefined();
  });

  it('by timer looks once', async () => {
    const deps = createWorld();
    await pass(deps);
    expect(deps.recordings.list).toHaveBeenCalledTimes(1);
    expect(deps.recordings.countQueue).not.toHaveBeenCalled();
    expect(deps.sleep).not.toHaveBeenCalled();
  });
});

describe('what cannot be done', () => {
  it('a refused launch is shown, and held back for as long as its kind says', async () => {
    const refusals = [
      ['retryable', 2_000],
      ['no_capacity', 15_000],
      ['configuration', 30_000],
    ] as const;
    for (const [kind, backoffMs] of refusals) {
      const deps = createWorld({ open: [[waitingFor('r')]] });
      deps.provider.launch.mockRejectedValue(new CapacityError(kind, 'InsufficientInstanceCapacity'));
      const report = await pass(deps);
      expect(report.memory).toMatchObject({ launchNotBeforeMs: NOW + backoffMs, launchFailures: 1 });
      expect(report.summary).toContain('Problem: InsufficientInstanceCapacity');
    }
  });

  it('the provider may say itself how long to wait', async () => {
    const deps = createWorld({ open: [[waitingFor('r')]] });
    deps.provider.launch.mockRejectedValue(new CapacityError('retryable', 'throttled', { retryAfterMs: 7_000 }));
    expect((await pass(deps)).memory.launchNotBeforeMs).toBe(NOW + 7_000);
  });

  it('an admission that did not arrive holds no lease, and one that did holds it', async () => {
    const deps = createWorld({ open: [[waitingFor('a'), waitingFor('b')]], workers: [running('w1'), running('w2')] });
    deps.recordings.admit.mockImplementation(async (id) => id === 'b');
    expect(Object.keys((await pass(deps)).memory.leases)).toEqual(['b']);
  });

  it('a drain that failed is asked for again', async () => {
    const notes = memory({ workers: { w1: { wasReady: true, idleSinceMs: NOW - 600_000, cordonedMs: NOW - 19_000 } } });
    const deps = createWorld({ workers: [running('w1')], cordoned: ['w1'] });
    deps.provider.drain.mockRejectedValueOnce(new Error('API is down'));
    const first = await pass(deps, notes);
    expect(first.memory.workers.w1).not.toHaveProperty('drainAskedMs');
    const second = await pass(deps, first.memory);
    expect(second.memory.workers.w1).toHaveProperty('drainAskedMs', NOW);
    expect(deps.provider.drain).toHaveBeenCalledTimes(2);
  });

  it('a cordon that failed is none, and is set again', async () => {
    const notes = memory({ workers: { w1: { wasReady: true, idleSinceMs: NOW - 600_000 } } });
    const deps = createWorld({ workers: [running('w1')] });
    deps.presence.cordon.mockRejectedValueOnce(new Error('READONLY'));
    const first = await pass(deps, notes);
    expect(first.memory.workers.w1).not.toHaveProperty('cordonedMs');
    const second = await pass(deps, first.memory);
    expect(second.memory.workers.w1).toHaveProperty('cordonedMs', NOW);
    expect(deps.presence.cordon).toHaveBeenLastCalledWith('w1', 900_000);
    expect(deps.provider.drain).not.toHaveBeenCalled();
  });

  it('a cordon is lifted before anybody is told of the room', async () => {
    const notes = memory({ workers: { w1: { wasReady: true, idleSinceMs: NOW - 600_000, cordonedMs: NOW - 19_000 } } });
    const deps = createWorld({ open: [[waitingFor('a')]], workers: [running('w1')], cordoned: ['w1'] });
    await pass(deps, notes);
    expect(deps.presence.uncordon).toHaveBeenCalledExactlyOnceWith('w1');
    const [lifted = 0] = deps.presence.uncordon.mock.invocationCallOrder;
    expect(lifted).toBeLessThan(deps.recordings.admit.mock.invocationCallOrder[0] ?? 0);
  });

  it('a worker that has no topic on the bus is no capacity', async () => {
    const deps = createWorld({ open: [[waitingFor('a')]], workers: [running('w1')], topics: [] });
    const report = await pass(deps);
    expect(deps.recordings.admit).not.toHaveBeenCalled();
    expect(report.summary).toContain("does not listen for starts on the workers' Redis");
  });

  it('a Redis of the workers that does not answer stops neither launches nor admissions', async () => {
    const deps = createWorld({
      open: [[waitingFor('a'), waitingFor('b')]],
      workers: [running('w1')],
      egresses: new Error('connection refused'),
    });
    const report = await pass(deps);
    expect(deps.recordings.admit).toHaveBeenCalledExactlyOnceWith('a', undefined);
    expect(deps.provider.launch).toHaveBeenCalledExactlyOnceWith(1, 'run-7');
    expect(report.line).toContain("the workers' Redis did not answer");
  });

  it('an index that cannot be read fails the pass, so that Temporal tries again', async () => {
    const deps = createWorld();
    deps.recordings.list.mockRejectedValue(new Error('visibility is down'));
    await expect(pass(deps)).rejects.toThrow('visibility is down');
  });
});

describe('orphans', () => {
  const stray = { workers: [running('w1')], egresses: [R] };
  const suspected = memory({ suspectSince: { [R]: NOW - 11_000 } });

  it('are stopped once their recording itself says that it has ended', async () => {
    const deps = createWorld(stray);
    await pass(deps, suspected);
    expect(deps.recordings.statusOf).toHaveBeenCalledExactlyOnceWith(R);
    expect(deps.stopEgress).toHaveBeenCalledExactlyOnceWith(R);
  });

  it.each<[string, RecordingState]>([
    ['the index was behind, or another fleet has it', 'open'],
    ['nobody knows their recording', 'unknown'],
  ])('are left alone when %s', async (_, state) => {
    const deps = createWorld(stray);
    deps.recordings.statusOf.mockResolvedValue(state);
    await pass(deps, suspected);
    expect(deps.stopEgress).not.toHaveBeenCalled();
    expect(deps.log.warn).toHaveBeenCalledTimes(state === 'unknown' ? 1 : 0);
  });

  it('are told from the wanted one by asking the recording, when it may have two', async () => {
    const deps = createWorld({
      open: [[waitingFor(R, { stage: 'recording' })]],
      workers: [running('w1')],
      egresses: [R, `${R}_1`],
    });
    deps.recordings.currentEgress.mockResolvedValue(`${R}_1`);
    await pass(deps, suspected);
    expect(deps.stopEgress).toHaveBeenCalledExactlyOnceWith(R);
    expect(deps.recordings.statusOf).not.toHaveBeenCalled();
  });
});

describe('the evidence of a lost egress', () => {
  const open = [[waitingFor(R, { stage: 'recording' })]];

  it('goes to its recording', async () => {
    const deps = createWorld({ open });
    await pass(deps, memory({ egresses: { [R]: 'w1' } }));
    expect(deps.recordings.askToLook).toHaveBeenCalledExactlyOnceWith(R, {
      code: 'lost',
      egressId: R,
      why: `${R} is lost: it has left the bus, and its worker has ended`,
    });
  });

  it('is none while its worker shows it or the bus has it', async () => {
    const shown: ProbeAnswer = { ...idle, egresses: [{ egressId: R, costCores: 4 }] };
    for (const world of [{ egresses: [R] }, { answers: { w1: shown } }]) {
      const deps = createWorld({ open, workers: [running('w1')], ...world });
      const report = await pass(deps, memory({ egresses: { [R]: 'w1' } }));
      expect(deps.recordings.askToLook).not.toHaveBeenCalled();
      expect(report.memory.egresses).toEqual({ [R]: 'w1' });
    }
  });

  it('is a port at which nothing listens, at once', async () => {
    const answers = { w1: { answered: false as const, problem: 'ECONNREFUSED', closed: true } };
    const deps = createWorld({ open, workers: [running('w1')], answers });
    await pass(deps, memory({ workers: { w1: { wasReady: true } }, egresses: { [R]: 'w1' } }));
    expect(deps.recordings.askToLook).toHaveBeenCalledTimes(1);
  });
});

describe('a recording in the index', () => {
  const info = (memo: Record<string, unknown>, attributes: Record<string, unknown>) =>
    toOpenRecording({
      workflowId: R,
      startTime: new Date(NOW),
      memo,
      typedSearchAttributes: { get: ({ name }: { name: string }) => attributes[name] } as never,
    });

  it('stands in the queue since Temporal began it, whatever the clock of the host said, or since it became due', () => {
    expect(
      info({ costCores: 2, requestedAtMs: NOW - 5 }, { RecordingStage: 'waiting', RecordingWaitingFor: 'capacity' }),
    ).toEqual({
      id: R,
      stage: 'waiting',
      waitingFor: 'capacity',
      priority: 3,
      costCores: 2,
      sinceMs: NOW,
      endsByMs: NOW + 6 * 3_600_000,
    });
    expect(info({ request: { tenant: 'acme', maxDuration: 60_000 }, requestedAtMs: NOW }, {})).toMatchObject({
      tenant: 'acme',
      endsByMs: NOW + 60_000,
    });
    expect(info({ costCores: 2, requestedAtMs: NOW, startAtMs: NOW + 9 }, {})).toMatchObject({
      sinceMs: NOW + 9,
      startAtMs: NOW + 9,
    });
  });
});

describe('a pass beside other fleets', () => {
  const theirs = 'EG_theirsabcde';
  const unknown = 'EG_nobodysabcd';
  const suspected = { ...EMPTY_MEMORY, suspectSince: { [theirs]: 1, [unknown]: 1 } };
  const beside = (fleet: string, world: World = {}) => {
    const deps = { ...createWorld({ open: [[]], egresses: [theirs, unknown], ...world }), fleets: ['test', 'gpu'] };
    deps.recordings.fleetOf.mockImplementation(async (id) => (id === theirs ? 'gpu' : undefined));
    deps.recordings.statusOf.mockResolvedValue('ended');
    return { deps, run: () => runPass(deps, { fleet, pass: 7, memory: suspected, kicked: false, token: 'run-7' }) };
  };

  it("leaves their egresses alone, and the first fleet judges what is nobody's", async () => {
    const { deps, run } = beside('test');
    const report = await run();
    expect(deps.stopEgress.mock.calls).toEqual([[unknown]]);
    expect(report.memory.suspectSince).not.toHaveProperty(theirs);
  });

  it("judges the egresses of its own recordings, and nobody's only where its worker shows them", async () => {
    const { deps, run } = beside('gpu');
    await run();
    expect(deps.stopEgress.mock.calls).toEqual([[theirs]]);
    const shows = {
      workers: [running('w1')],
      answers: { w1: { ...idle, egresses: [{ egressId: unknown, costCores: 4 }] } },
    };
    const shown = beside('gpu', shows);
    await shown.run();
    expect(shown.deps.stopEgress.mock.calls.flat().sort()).toEqual([unknown, theirs].sort());
  });
});

describe('a worker that keeps not taking starts', () => {
  const doubts = { w1: { code: 'not_taken' as const, times: 3, untilMs: NOW + 8_000 } };

  it('is named once, and is no capacity: another one is launched', async () => {
    const deps = createWorld({ open: [[waitingFor('a')]], workers: [running('w1')], doubts });
    const first = await pass(deps);
    expect(first.line).toContain(
      'w1 is set aside: starts are not taken there (3 in a row); `reelkit fleet forgive w1` takes it back',
    );
    expect(first.summary).toContain('starts are not taken there (3 in a row): it is set aside for 8s');
    expect(deps.recordings.admit).not.toHaveBeenCalled();
    expect(deps.provider.launch).toHaveBeenCalledTimes(1);
    expect((await pass(deps, first.memory)).line ?? '').not.toContain('set aside');
  });

  it('counts again once it is trusted, and after one start alone is only shown with the reason', async () => {
    const once = { w1: { code: 'not_taken' as const, times: 1, untilMs: NOW - 1 } };
    const deps = createWorld({ open: [[waitingFor('a')]], workers: [running('w1')], doubts: once });
    const report = await pass(deps);
    expect(deps.recordings.admit).toHaveBeenCalledTimes(1);
    expect(report.line).not.toContain('set aside');
    expect(report.summary).toContain('it did not take the last start: it is tried again');
  });
});
