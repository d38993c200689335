// What a platform may say of its workers beside their state: another name than at the launch, an announced end, a list that is old.
import { describe, expect, it } from 'vitest';
import { attemptEgressId } from '../../../src/recording/attempt.ts';
import { egress, live, MINUTE, memory, NOW, plan, rec, waiting, worker } from '../../support/fleet.ts';

const R = rec('r');
const running = (id: string) => [{ id, stage: 'recording' as const }];

describe('a worker that its platform names later', () => {
  const launched = memory({ workers: { 'launch-1': { expectedSinceMs: NOW - MINUTE / 2 } } });
  const booting = worker('i-0abc', { state: 'booting', launchedAs: 'launch-1', launchedAtMs: NOW - MINUTE / 2 });

  it('is the one that was launched: nothing is launched for it again, and no boot has failed', () => {
    const decided = plan({ workers: [booting], waiting: [waiting(R)] }, launched);
    expect(decided.launch).toBe(0);
    expect(decided.memory.bootFailures).toBe(0);
    expect(Object.keys(decided.memory.workers)).toEqual(['i-0abc']);
  });

  it('has ended neither when its placeholder was listed before and is not now', () => {
    const listed = memory({ workers: { 'launch-1': {} }, egresses: { [R]: 'launch-1' } });
    const decided = plan({ workers: [booting], waiting: [waiting(rec('s'))] }, listed);
    expect(decided.memory.bootFailures).toBe(0);
    expect(decided.launch).toBe(0);
    expect(decided.reasons.map(({ code }) => code)).not.toContain('boot_failed');
  });

  it('keeps what was asked of it under its first name', () => {
    const drained = memory({ workers: { 'launch-1': { drainAskedMs: NOW - 1_000, wasReady: true } } });
    const decided = plan({ workers: [worker('i-0abc', { launchedAs: 'launch-1' })], waiting: [waiting(R)] }, drained);
    expect(decided.memory.workers['i-0abc']).toMatchObject({ drainAskedMs: NOW - 1_000, wasReady: true });
    expect(decided.admit).toEqual([]);
  });
});

describe('a worker whose end is announced', () => {
  const endsAtMs = NOW + 2 * MINUTE;
  const at = new Date(endsAtMs).toISOString();

  it.each([true, false])('gets nothing new, owned or not (%s)', (owned) => {
    const decided = plan({ workers: [worker('a', { endsAtMs, owned })], waiting: [waiting(R)] });
    expect(decided.admit).toEqual([]);
    expect(decided.launch).toBe(1);
    expect(decided.cordon.map(({ id, why }) => [id, why])).toEqual(
      owned ? [['a', `its platform ends it at ${at}`]] : [],
    );
  });

  it('is not ended while it records, and its recordings are told, once', () => {
    const seen = {
      workers: [worker('a', { endsAtMs, egresses: [egress(R)] })],
      activeEgresses: [live(R)],
      running: running(R),
    };
    const first = plan(seen);
    const why = `${R}: the platform of its worker a ends it at ${at}`;
    expect(first.look).toEqual([{ recordingId: R, code: 'worker_ends', why }]);
    expect(first.retire).toEqual([]);
    const second = plan({ ...seen, nowMs: NOW + MINUTE }, first.memory);
    expect(second.look).toEqual([]);
  });

  it('is told of again when the platform moves it', () => {
    const seen = (ms: number) => ({
      workers: [worker('a', { endsAtMs: ms, egresses: [egress(R)] })],
      activeEgresses: [live(R)],
      running: running(R),
    });
    const first = plan(seen(endsAtMs));
    expect(plan(seen(endsAtMs - MINUTE), first.memory).look).toHaveLength(1);
  });
});

describe('a worker that is to go', () => {
  const seen = (more: object = {}) => ({
    workers: [worker('a', { leaving: 'its node is drained', egresses: [egress(R)], ...more })],
    activeEgresses: [live(R)],
    running: [{ id: R, stage: 'recording' as const, costCores: 2 }],
  });

  it('is not ended while it records; its recordings are told once, and another is launched for them', () => {
    const first = plan(seen());
    expect(first.look).toEqual([
      { recordingId: R, code: 'worker_leaves', why: `${R}: its worker a goes: its node is drained` },
    ]);
    expect([first.retire, first.launch]).toEqual([[], 1]);
    const second = plan({ ...seen(), nowMs: NOW + MINUTE }, first.memory);
    expect(second.look).toEqual([]);
  });

  it('needs no other for a recording that has another already', () => {
    const successor = `${R}_1`;
    const both = {
      workers: [...seen().workers, worker('b', { egresses: [egress(successor)] })],
      activeEgresses: [live(R), live(successor)],
      running: running(R),
    };
    const decided = plan(both);
    expect([decided.launch, decided.look]).toEqual([0, []]);
    // Neither of the two is called unwanted, however long both record.
    const later = plan({ ...both, nowMs: NOW + MINUTE }, decided.memory);
    expect([decided.orphans, later.orphans]).toEqual([[], []]);
  });

  it('needs no other for a recording that cannot move', () => {
    const streaming = [{ id: R, stage: 'recording' as const, costCores: 2, stays: true as const }];
    expect(plan({ ...seen(), running: streaming }).launch).toBe(0);
  });

  it('that the fleet did not launch is left alone', () => {
    expect(plan(seen({ owned: false })).look).toEqual([]);
  });
});

describe('a list that is old', () => {
  const believed = memory({ workers: { a: { wasReady: true } }, egresses: { [R]: 'a' } });
  const seen = { activeEgresses: [], running: running(R) };

  it('shows nobody as gone whom it does not show, and one that is new does', () => {
    expect(plan({ ...seen, listedAtMs: NOW }, believed).lost).toMatchObject([{ recordingId: R }]);
    const old = plan({ ...seen, listedAtMs: NOW - MINUTE }, believed);
    expect(old.lost).toEqual([]);
    expect(old.reasons.map(({ text }) => text).join()).not.toContain('no longer lists');
  });

  it('of an attempt that another worker shows does not matter', () => {
    const next = attemptEgressId(R, 1);
    const workers = [worker('b', { egresses: [egress(next)] })];
    const decided = plan({ workers, activeEgresses: [live(next)], running: running(R), listedAtMs: NOW - MINUTE });
    expect(decided.lost).toEqual([]);
    expect(decided.look).toEqual([]);
  });
});
