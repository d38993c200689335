// Egresses and recordings that do not match: what is said to whom, and only after two looks agree.
import { describe, expect, it } from 'vitest';
import type { Observation } from '../../../src/fleet/observation.ts';
import { codes, egress, NOW, plan, waiting, worker } from '../../support/fleet.ts';

const OLD = NOW - 60_000;
const running = (id: string) => [{ id, stage: 'recording' as const }];
const active = (egressId: string, recordingId?: string, atMs = OLD) => ({
  egressId,
  acceptedAtMs: atMs,
  startedAtMs: atMs,
  ...(recordingId === undefined ? {} : { recordingId }),
});

/** Two looks, `gapMs` apart, at the same world. */
function twice(seen: Partial<Observation>, gapMs = 10_000) {
  const first = plan(seen);
  return { first, second: plan({ ...seen, nowMs: NOW + gapMs }, first.memory) };
}

describe('an egress that no worker has', () => {
  const dead = { workers: [worker('a')], activeEgresses: [active('EG_1', 'r')], running: running('r') };

  it('is called lost at the second look, with evidence, and its recording is told', () => {
    const { first, second } = twice(dead);
    expect(first.lost).toEqual([]);
    expect(first.nextPassInMs).toBe(2_000);
    expect(second.lost).toEqual([
      {
        egressId: 'EG_1',
        recordingId: 'r',
        evidence: 'LiveKit lists it as active; 1 worker answered and none runs it, for 10s',
      },
    ]);
    expect(codes(second)).toContain('lost');
  });

  it('is not called lost when the looks are too close, or while it is fresh', () => {
    expect(twice(dead, 5_000).second.lost).toEqual([]);
    expect(twice({ ...dead, activeEgresses: [active('EG_1', 'r', NOW - 4_000)] }).second.lost).toEqual([]);
  });

  it('is not called lost while a worker that may run it does not answer, until that worker was silent too long', () => {
    const silent = worker('b', { state: 'unreachable', answered: false });
    const seen = { ...dead, workers: [worker('a'), silent] };
    const first = plan(seen, { workers: { b: { wasReady: true } } });
    const second = plan({ ...seen, nowMs: NOW + 60_000 }, first.memory);
    expect(second.lost).toEqual([]);
    const third = plan({ ...seen, nowMs: NOW + 121_000 }, second.memory);
    const fourth = plan({ ...seen, nowMs: NOW + 132_000 }, third.memory);
    expect(fourth.lost).toMatchObject([{ egressId: 'EG_1', recordingId: 'r' }]);
  });

  it('is called lost after that time also beside a worker that never answered, or that is to end and never did', () => {
    for (const silent of [
      worker('b', { state: 'unreachable', owned: false }),
      worker('b', { state: 'draining', answered: false }),
    ]) {
      const seen = { ...dead, workers: [worker('a'), silent] };
      const first = plan(seen);
      const second = plan({ ...seen, nowMs: NOW + 121_000 }, first.memory);
      const third = plan({ ...seen, nowMs: NOW + 132_000 }, second.memory);
      expect([second.lost, third.lost]).toMatchObject([[], [{ egressId: 'EG_1', recordingId: 'r' }]]);
    }
  });

  it('is called lost sooner when the platform does not reach that worker either', () => {
    const silent = worker('b', { state: 'unreachable', answered: false, cutOff: true });
    const seen = { ...dead, workers: [worker('a'), silent] };
    const first = plan(seen, { workers: { b: { wasReady: true } } });
    const second = plan({ ...seen, nowMs: NOW + 19_000 }, first.memory);
    const third = plan({ ...seen, nowMs: NOW + 21_000 }, second.memory);
    const fourth = plan({ ...seen, nowMs: NOW + 32_000 }, third.memory);
    expect([second, third, fourth].map(({ lost }) => lost.length)).toEqual([0, 0, 1]);
  });

  it('is told again only after a watch interval, and not at all once the recording has gone on', () => {
    const { second } = twice(dead);
    expect(plan({ ...dead, nowMs: NOW + 12_000 }, second.memory).lost).toEqual([]);
    const again = plan({ ...dead, nowMs: NOW + 41_000 }, second.memory);
    expect(again.lost).toHaveLength(1);
    expect([second.line, again.line]).toEqual([expect.stringContaining('EG_1 of r is lost'), undefined]);
    const next = {
      ...dead,
      nowMs: NOW + 41_000,
      workers: [worker('a', { egresses: [egress('EG_2')] })],
      activeEgresses: [active('EG_1', 'r'), active('EG_2', 'r')],
      running: [{ id: 'r', stage: 'recording' as const, egressId: 'EG_2' }],
    };
    expect(plan(next, second.memory)).toMatchObject({ lost: [], orphans: [] });
  });

  it('is reported once when nobody waits for it, and does not keep the fleet awake', () => {
    const { second } = twice({ activeEgresses: [active('EG_1')] });
    expect(second.lost).toMatchObject([{ egressId: 'EG_1' }]);
    expect(second.lost[0]).not.toHaveProperty('recordingId');
    expect(second.nextPassInMs).toBeUndefined();
    const later = plan({ nowMs: NOW + 3_600_000, activeEgresses: [active('EG_1')] }, second.memory);
    expect(later.lost).toEqual([]);
    expect(later.nextPassInMs).toBeUndefined();
  });
});

describe('an egress that no recording wants', () => {
  const orphan = { workers: [worker('a', { egresses: [egress('EG_1')] })], activeEgresses: [active('EG_1', 'r')] };

  it('is stopped at the second look', () => {
    const { first, second } = twice(orphan);
    expect(first.orphans).toEqual([]);
    expect(second.orphans).toEqual([{ egressId: 'EG_1', recordingId: 'r', why: 'its recording is not open' }]);
  });

  it('is stopped when its recording runs another one', () => {
    const { second } = twice({
      workers: [worker('a', { egresses: [egress('EG_1', 1), egress('EG_2', 1)] })],
      activeEgresses: [active('EG_1', 'r'), active('EG_2', 'r')],
      running: [{ id: 'r', stage: 'recording', egressId: 'EG_2' }],
    });
    expect(second.orphans).toMatchObject([{ egressId: 'EG_1', why: 'its recording runs EG_2' }]);
  });

  it('is left alone while its recording starts, and always when it is not ours', () => {
    expect(twice({ ...orphan, starting: [{ id: 'r', costCores: 4 }] }).second.orphans).toEqual([]);
    expect(twice({ ...orphan, activeEgresses: [active('EG_1')] }).second.orphans).toEqual([]);
  });

  it('is left alone when LiveKit cannot be asked', () => {
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
    const seen = { running: running('r') };
    const first = plan(seen);
    expect(first.look).toEqual([{ recordingId: 'r', why: 'no active egress' }]);
    expect(plan({ ...seen, nowMs: NOW + 2_000 }, first.memory).look).toEqual([]);
    const again = plan({ ...seen, nowMs: NOW + 30_000 }, first.memory);
    expect(again.look).toHaveLength(1);
    expect([first.line, again.line]).toEqual(['r is asked to look: no active egress', undefined]);
  });

  it('is asked to look when its egress records and the news of it was lost', () => {
    const seen = {
      workers: [worker('a', { egresses: [egress('EG_1')] })],
      activeEgresses: [active('EG_1', 'r')],
      starting: [{ id: 'r', costCores: 4 }],
    };
    const { first, second } = twice(seen);
    expect(first.look).toEqual([]);
    expect(second.look).toEqual([{ recordingId: 'r', why: 'EG_1 already records for it' }]);
    const { startedAtMs: _, ...notYet } = active('EG_1', 'r');
    expect(twice({ ...seen, activeEgresses: [notYet] }).second.look).toEqual([]);
  });

  it('is asked to look when it has been starting for too long without one', () => {
    const seen = { workers: [worker('a')], starting: [{ id: 'r', costCores: 4 }] };
    expect(twice(seen, 30_000).second.look).toEqual([]);
    expect(twice(seen, 46_000).second.look).toMatchObject([{ recordingId: 'r' }]);
  });

  it('is asked to look when it waits although a worker already records for it', () => {
    const { second } = twice({
      workers: [worker('a', { egresses: [egress('EG_1')] })],
      activeEgresses: [active('EG_1', 'r')],
      waiting: [waiting('r')],
    });
    expect(second.look).toEqual([{ recordingId: 'r', why: 'EG_1 already records for it' }]);
    expect(second.admit).toEqual([]);
  });

  it('is served anew when only a draining worker records for it', () => {
    const decision = plan({
      workers: [worker('a', { state: 'draining', egresses: [egress('EG_1')] }), worker('b')],
      activeEgresses: [active('EG_1', 'r')],
      waiting: [waiting('r')],
    });
    expect(decision.admit).toMatchObject([{ id: 'r' }]);
  });
});
