// Egresses and recordings that do not match: what is said to whom, at once where two witnesses agree, else after a second look.
import { describe, expect, it } from 'vitest';
import { fateOf, type Verdict, type WorkerWord, wordOf } from '../../../src/fleet/egress-fate.ts';
import type { Observation, ObservedWorker } from '../../../src/fleet/observation.ts';
import { codes, egress, live, MINUTE, memory, NOW, POLICY, plan, rec, waiting, worker } from '../../support/fleet.ts';

const R = rec('r');
const R1 = `${R}_1`;
const running = (id: string, egressId?: string) => [
  { id, stage: 'recording' as const, ...(egressId === undefined ? {} : { egressId }) },
];
/** It was last shown by worker `a`. */
const seenOnA = { egresses: { [R]: 'a' } };

/** Two looks, `gapMs` apart, at the same world. */
function twice(seen: Partial<Observation>, remembered = {}, gapMs = 10_000) {
  const first = plan(seen, remembered);
  return { first, second: plan({ ...seen, nowMs: NOW + gapMs }, first.memory) };
}

describe('the fate of an egress', () => {
  it.each<[onBus: boolean, WorkerWord, Verdict]>([
    [true, 'shows', 'alive'],
    [true, 'hides', 'alive'],
    [true, 'silent', 'alive'],
    [true, 'cut_off', 'alive'],
    [true, 'unknown', 'alive'],
    [true, 'closed', 'suspect'],
    [true, 'ended', 'suspect'],
    [true, 'long_silent', 'suspect'],
    [false, 'shows', 'suspect'],
    [false, 'silent', 'suspect'],
    [false, 'unknown', 'suspect'],
    [false, 'hides', 'suspect'],
    [false, 'closed', 'lost'],
    [false, 'ended', 'lost'],
    [false, 'cut_off', 'lost'],
    [false, 'long_silent', 'lost'],
  ])('on the bus: %s, its worker: %s: %s', (onBus, word, verdict) => {
    expect(fateOf(onBus, word)).toBe(verdict);
  });

  it.each<[WorkerWord, Partial<ObservedWorker> | undefined, silentMs: number]>([
    ['shows', { egresses: [egress(R)] }, 0],
    ['hides', {}, 0],
    ['ended', undefined, 0],
    ['ended', { state: 'gone' }, 0],
    ['closed', { state: 'unreachable', portClosed: true }, 0],
    ['silent', { state: 'unreachable' }, 119_000],
    ['long_silent', { state: 'unreachable' }, 120_000],
    ['cut_off', { state: 'unreachable', cutOff: true }, 19_000],
    ['long_silent', { state: 'unreachable', cutOff: true }, 20_000],
  ])('what its worker says: %s', (word, parts, silentMs) => {
    expect(wordOf(parts && worker('a', parts), R, silentMs)).toBe(word);
  });
});

describe('an egress that lives and does not record', () => {
  const hangs = {
    workers: [worker('a', { egresses: [egress(R)] })],
    activeEgresses: [live(R)],
    starting: [{ id: R, costCores: 4 }],
  };

  /** Passes every watch interval for this long. @returns at which of them its recording was asked to look, in seconds */
  function lookedAt(seen: Partial<Observation>, forMs: number): number[] {
    const looks: number[] = [];
    let remembered = memory();
    for (let ms = 0; ms <= forMs; ms += POLICY.watchIntervalMs) {
      const decision = plan({ ...hangs, ...seen, nowMs: NOW + ms }, remembered);
      remembered = decision.memory;
      if (decision.look.length > 0) looks.push(ms / 1_000);
      for (const look of decision.look) expect(look).toMatchObject({ recordingId: R, code: 'no_media' });
      expect(codes(decision).includes('look')).toBe(looks.length === 1 && looks[0] === ms / 1_000);
    }
    return looks;
  }

  it('has its recording look after a minute, then less and less often, and is told of once', () => {
    expect(lookedAt({}, 30 * MINUTE)).toEqual([60, 120, 240, 480, 780, 1080, 1380, 1680]);
  });

  it('costs no pass more than a recording that records', () => {
    const first = plan(hangs);
    const second = plan({ ...hangs, nowMs: NOW + 30_000 }, first.memory);
    expect([first.nextPassInMs, second.nextPassInMs]).toEqual([POLICY.watchIntervalMs, POLICY.watchIntervalMs]);
  });

  it('has a minute of its own when it is a later attempt', () => {
    const first = plan(hangs);
    const next = { workers: [worker('b', { egresses: [egress(R1)] })], activeEgresses: [live(R1)] };
    const second = plan({ ...hangs, ...next, nowMs: NOW + MINUTE }, first.memory);
    const third = plan({ ...hangs, ...next, nowMs: NOW + 2 * MINUTE }, second.memory);
    expect([second.look.length, third.look.length]).toEqual([0, 1]);
  });

  it('is forgotten once it records, and kept in mind while the bus is away', () => {
    const first = plan(hangs);
    const away = plan({ ...hangs, activeEgresses: undefined, nowMs: NOW + 30_000 } as never, first.memory);
    expect(away.memory.startingSince).toEqual({ [R]: NOW });
    const records = plan({ ...hangs, starting: [], running: running(R), nowMs: NOW + MINUTE }, away.memory);
    expect([records.look, records.memory.startingSince]).toEqual([[], {}]);
  });
});

describe('capacity for a recording whose egress is lost', () => {
  const running = [{ id: R, stage: 'recording' as const, costCores: 4 }];
  const seenOnA = { egresses: { [R]: 'a' }, workers: { a: { wasReady: true } } };
  const dead = { workers: [worker('a', { state: 'gone' })], running };

  it.each<[string, ObservedWorker[]]>([
    ['its worker has ended', dead.workers],
    ['its platform has not noticed the end of its worker', [worker('a', { state: 'unreachable', portClosed: true })]],
    ['the machine of its worker is cut off', [worker('a', { state: 'unreachable', cutOff: true })]],
  ])('is asked for in the pass that finds it lost: %s', (_, workers) => {
    const { launch, lost, demand } = plan({ ...dead, workers }, seenOnA);
    expect([launch, lost.length]).toEqual([1, 1]);
    expect(demand.inFlight).toEqual([{ id: R, costCores: 4 }]);
  });

  it('is taken from a worker with room, which the next in the queue does not get then', () => {
    const { launch, admit } = plan({ ...dead, workers: [worker('b')], waiting: [waiting(rec('q'))] }, seenOnA);
    expect([launch, admit]).toEqual([1, []]);
  });

  it('is asked for once, while it is still listed as recording, while it starts, and while it waits', () => {
    const first = plan(dead, seenOnA);
    const booting = [worker('b', { state: 'booting' })];
    const later = [
      { running },
      { starting: [{ id: R, costCores: 4 }] },
      { waiting: [waiting(R)] },
      { running, activeEgresses: [live(R1)] },
    ];
    for (const seen of later) {
      const { launch } = plan({ ...seen, workers: booting, nowMs: NOW + 2_000 }, first.memory);
      expect(launch).toBe(0);
    }
  });

  it('is not asked for when it is being stopped, when one witness doubts, or when a later attempt records', () => {
    const stopping = [{ id: R, stage: 'stopping' as const, costCores: 4 }];
    expect(plan({ ...dead, running: stopping }, seenOnA).launch).toBe(0);
    expect(plan({ running, workers: [worker('a', { state: 'unreachable' })] }, seenOnA).launch).toBe(0);
    const goesOn = { workers: [worker('b', { egresses: [egress(R1)] })], activeEgresses: [live(R1)], running };
    expect(plan({ ...dead, ...goesOn }, seenOnA).launch).toBe(0);
  });

  it('is not kept for one that was told and does not go on', () => {
    const first = plan(dead, seenOnA);
    const { demand, lost } = plan({ ...dead, nowMs: NOW + MINUTE }, first.memory);
    expect([demand.inFlight, lost.length]).toEqual([[], 1]);
  });

  it('counts for its tenant once', () => {
    const mine = running.map((one) => ({ ...one, tenant: 'mine' }));
    const queue = [
      { ...waiting(rec('m'), 1, { sinceMs: NOW - 2_000 }), tenant: 'mine' },
      { ...waiting(rec('o'), 1), tenant: 'other' },
    ];
    const others = { id: rec('x'), stage: 'recording' as const, costCores: 5, tenant: 'other' };
    const workers = [worker('b', { egresses: [egress(others.id, 5)], cpuCores: 8, freeCores: 1.4 })];
    const seen = { workers, activeEgresses: [live(others.id)], running: [...mine, others], waiting: queue };
    expect(plan(seen, seenOnA).demand.admit.map(({ tenant }) => tenant)).toEqual(['mine']);
  });
});

describe('an egress that is lost', () => {
  const dead = { workers: [worker('a', { state: 'unreachable', portClosed: true })], running: running(R) };

  it('is told of at once when it has left the bus and its worker is gone', () => {
    const decision = plan(dead, seenOnA);
    expect(decision.lost).toEqual([
      { egressId: R, recordingId: R, evidence: "it has left the bus, and nothing listens at its worker's port" },
    ]);
    expect(codes(decision)).toContain('lost');
  });

  it('needs a second look while its worker lives: that one reports how it ended', () => {
    const { first, second } = twice({ ...dead, workers: [worker('a')] }, seenOnA);
    expect([first.lost, first.line, first.nextPassInMs]).toEqual([[], undefined, 2_000]);
    expect(second.lost).toMatchObject([
      { egressId: R, evidence: 'it has left the bus, and its worker answers and does not show it' },
    ]);
  });

  it.each<[string, ObservedWorker[]]>([
    ['nothing listens at the port', [worker('a', { state: 'unreachable', portClosed: true })]],
    ['the platform has forgotten the worker', []],
    ['the platform says it ended', [worker('a', { state: 'gone' })]],
    ['the platform does not reach the machine', [worker('a', { state: 'unreachable', cutOff: true })]],
  ])('is told of at once when it has left the bus and %s', (_, workers) => {
    expect(plan({ ...dead, workers }, seenOnA).lost).toMatchObject([{ egressId: R }]);
  });

  it('is told of while it has only begun, too', () => {
    const starting = [{ id: R, costCores: 4 }];
    expect(plan({ workers: dead.workers, starting }, seenOnA).lost).toMatchObject([{ egressId: R }]);
  });

  it('needs a second look, far enough away, where only the bus says so', () => {
    const silent = { ...dead, workers: [worker('a', { state: 'unreachable' })] };
    expect(twice(silent, seenOnA).first.lost).toEqual([]);
    expect(twice(silent, seenOnA, 5_000).second.lost).toEqual([]);
    expect(twice(silent, seenOnA).second.lost).toMatchObject([{ egressId: R, recordingId: R }]);
  });

  it('needs a second look where only its worker says so: Redis notices a dead machine late', () => {
    const half = { ...dead, workers: [], activeEgresses: [live(R)] };
    const { first, second } = twice(half, seenOnA);
    expect([first.lost, second.lost]).toMatchObject([
      [],
      [{ egressId: R, evidence: 'it still listens on the bus, and its worker has ended' }],
    ]);
  });

  it('that no worker ever showed is with those that do not answer, once all of them have been silent for long', () => {
    const frozen = { state: 'unreachable', answered: false, present: true } as const;
    const seen = (...workers: ObservedWorker[]) => ({ workers, activeEgresses: [live(R)], running: running(R, R) });
    const silentFor = (minutes: number) => ({ wasReady: true, silentSinceMs: NOW - minutes * MINUTE });
    const alone = twice(seen(worker('a', frozen), worker('b')), { workers: { a: silentFor(3) } });
    expect(alone.first.lost).toEqual([]);
    expect(alone.second.lost).toMatchObject([{ egressId: R, recordingId: R }]);
    const notes = { workers: { a: silentFor(3), b: silentFor(1) } };
    expect(twice(seen(worker('a', frozen), worker('b', frozen)), notes).second.lost).toEqual([]);
  });

  it('is not called lost while the bus has it and its worker is silent, until that was so for too long', () => {
    const seen = { ...dead, workers: [worker('a', { state: 'unreachable' })], activeEgresses: [live(R)] };
    const first = plan(seen, { ...seenOnA, workers: { a: { wasReady: true } } });
    const second = plan({ ...seen, nowMs: NOW + 60_000 }, first.memory);
    const third = plan({ ...seen, nowMs: NOW + 121_000 }, second.memory);
    const fourth = plan({ ...seen, nowMs: NOW + 132_000 }, third.memory);
    expect([first, second, third, fourth].map(({ lost }) => lost.length)).toEqual([0, 0, 0, 1]);
  });

  it('has its recording look for itself once its worker has been silent for longer than LiveKit keeps a frozen recorder', () => {
    const seen = { ...dead, workers: [worker('a', { state: 'unreachable' })], activeEgresses: [live(R)] };
    const first = plan(seen, { ...seenOnA, workers: { a: { wasReady: true } } });
    const second = plan({ ...seen, nowMs: NOW + 24_000 }, first.memory);
    const third = plan({ ...seen, nowMs: NOW + 25_000 }, second.memory);
    expect([first, second, third].map(({ look }) => look)).toMatchObject([
      [],
      [],
      [{ recordingId: R, code: 'silent' }],
    ]);
  });

  it('has its recording look for itself when it has left the bus and its worker goes on showing it', () => {
    const seen = {
      workers: [worker('a', { egresses: [egress(R)] })],
      activeEgresses: [live(R, false)],
      running: running(R),
    };
    const { first, second } = twice(seen);
    expect([first.look, second.look, second.lost]).toMatchObject([[], [{ recordingId: R, code: 'off_bus' }], []]);
  });

  it('is not told of when its worker is not known and the bus has it', () => {
    expect(twice({ activeEgresses: [live(R)], running: running(R) }).second).toMatchObject({ lost: [], look: [] });
  });

  it('is told of again only after a watch interval, and not at all once the recording has gone on', () => {
    const first = plan(dead, seenOnA);
    expect(plan({ ...dead, nowMs: NOW + 12_000 }, first.memory).lost).toEqual([]);
    const again = plan({ ...dead, nowMs: NOW + 31_000 }, first.memory);
    expect(again.lost).toHaveLength(1);
    expect([first.line, again.line]).toEqual([expect.stringContaining(`${R} of ${R} is lost`), undefined]);
    const next = {
      nowMs: NOW + 31_000,
      workers: [worker('a', { egresses: [egress(R1)] })],
      activeEgresses: [live(R1)],
      running: running(R),
    };
    expect(plan(next, first.memory)).toMatchObject({ lost: [], orphans: [], look: [] });
    expect(plan(next, first.memory).memory.egresses).toEqual({ [R1]: 'a' });
  });

  it('is told of although an older one of the same recording has come back to life', () => {
    const seen = {
      workers: [...dead.workers, worker('b', { egresses: [egress(R)] })],
      activeEgresses: [live(R)],
      running: running(R, R1),
    };
    expect(plan(seen, { egresses: { [R1]: 'a' } }).lost).toMatchObject([{ egressId: R1 }]);
  });

  it('is forgotten when its recording has ended or waits', () => {
    for (const seen of [{}, { waiting: [waiting(R)] }]) {
      const decision = plan({ workers: dead.workers, ...seen }, seenOnA);
      expect([decision.lost, decision.memory.egresses]).toEqual([[], {}]);
    }
  });

  it('is not told of while the bus cannot be asked, and what was known of it is kept', () => {
    const blind = plan({ ...dead, activeEgresses: undefined as never }, { ...seenOnA, suspectSince: { [R]: NOW - 1 } });
    expect(blind).toMatchObject({ lost: [], look: [], memory: { ...seenOnA, suspectSince: { [R]: NOW - 1 } } });
  });
});

describe('an egress that no recording wants', () => {
  const orphan = { workers: [worker('a', { egresses: [egress(R)] })], activeEgresses: [live(R)] };

  it('is stopped at the second look', () => {
    const { first, second } = twice(orphan);
    expect(first.orphans).toEqual([]);
    expect(second.orphans).toEqual([
      { egressId: R, recordingId: R, code: 'not_open', why: 'its recording is not open' },
    ]);
  });

  it('is stopped on the bus alone: its worker may be out of sight', () => {
    expect(twice({ activeEgresses: [live(R)] }).second.orphans).toMatchObject([{ egressId: R }]);
  });

  it('is stopped when its recording believes in a later attempt', () => {
    const { second } = twice({
      workers: [worker('a', { egresses: [egress(R, 1), egress(R1, 1)] })],
      activeEgresses: [live(R), live(R1)],
      running: running(R, R1),
    });
    expect(second.orphans).toEqual([
      { egressId: R, recordingId: R, code: 'superseded', why: `its recording runs ${R1}` },
    ]);
  });

  it('is left alone when it is the next part, not believed in yet', () => {
    const { second } = twice({
      workers: [worker('a', { egresses: [egress(R, 1), egress(R1, 1)] })],
      activeEgresses: [live(R), live(R1)],
      running: running(R, R),
    });
    expect(second.orphans).toEqual([]);
  });

  it('is left alone while its recording starts', () => {
    expect(twice({ ...orphan, starting: [{ id: R, costCores: 4 }] }).second.orphans).toEqual([]);
  });

  it('is told of once and left alone when its id is none of ours', () => {
    const { first, second } = twice({ activeEgresses: [live('EG_theirs-1')] });
    expect([first.line, second.line]).toEqual(['1 on the bus are not of Reelkit: EG_theirs-1', undefined]);
    expect([second.orphans, second.look, second.nextPassInMs]).toEqual([[], [], undefined]);
  });

  it('is left alone while the bus cannot be asked', () => {
    const { first } = twice(orphan);
    const blind = plan(
      { workers: orphan.workers, activeEgresses: undefined as never, nowMs: NOW + 10_000 },
      first.memory,
    );
    expect(blind.orphans).toEqual([]);
    expect(plan({ ...orphan, nowMs: NOW + 20_000 }, blind.memory).orphans).toHaveLength(1);
  });
});

describe('a recording that no egress serves', () => {
  it('is asked to look at once, and again only after a watch interval', () => {
    const seen = { running: running(R) };
    const first = plan(seen);
    expect(first.look).toEqual([{ recordingId: R, code: 'no_egress', why: 'no egress of it lives' }]);
    expect(plan({ ...seen, nowMs: NOW + 2_000 }, first.memory).look).toEqual([]);
    const again = plan({ ...seen, nowMs: NOW + 30_000 }, first.memory);
    expect(again.look).toHaveLength(1);
    expect([first.line, again.line]).toEqual([`${R} is asked to look: no egress of it lives`, undefined]);
  });

  it('is asked to look when it has been starting for too long, and not while its egress lives', () => {
    const seen = { workers: [worker('a')], starting: [{ id: R, costCores: 4 }] };
    expect(twice(seen, {}, 30_000).second.look).toEqual([]);
    expect(twice(seen, {}, 46_000).second.look).toMatchObject([{ recordingId: R, code: 'starting_for_long' }]);
    expect(twice({ ...seen, activeEgresses: [live(R)] }, {}, 46_000).second.look).toEqual([]);
  });

  it('is asked to look when it waits although a worker already records for it', () => {
    const { second } = twice({
      workers: [worker('a', { egresses: [egress(R)] })],
      activeEgresses: [live(R)],
      waiting: [waiting(R)],
    });
    expect(second.look).toEqual([
      { recordingId: R, code: 'runs_already', why: `${R} already records for it`, egressId: R },
    ]);
    expect(second.admit).toEqual([]);
  });

  it('is served anew when only a draining worker records for it', () => {
    const decision = plan({
      workers: [worker('a', { state: 'draining', egresses: [egress(R)] }), worker('b')],
      activeEgresses: [live(R)],
      waiting: [waiting(R)],
    });
    expect(decision.admit).toMatchObject([{ id: R }]);
  });
});

describe('what is remembered of egresses', () => {
  it('is where each was shown last, for as long as it lives or is believed in', () => {
    const shown = plan({
      workers: [worker('a', { egresses: [egress(R)] })],
      activeEgresses: [live(R)],
      running: running(R),
    });
    expect(shown.memory.egresses).toEqual(seenOnA.egresses);
    const hidden = { workers: [worker('a', { state: 'unreachable' })], activeEgresses: [live(R)], running: running(R) };
    expect(plan(hidden, shown.memory).memory.egresses).toEqual(seenOnA.egresses);
    expect(plan({ nowMs: NOW + MINUTE }, shown.memory).memory.egresses).toEqual({});
  });
});
