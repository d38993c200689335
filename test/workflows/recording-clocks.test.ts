// A worker or a host whose clock is minutes wrong: durations stay what they are.
import { describe, expect, it } from 'vitest';
import { FULL, MINUTE_MS } from '../support/recording-env.ts';
import { useRecordings } from '../support/use-recordings.ts';

const recordings = useRecordings();

const SKEWS: [string, number][] = [
  ['10 min behind', -10 * MINUTE_MS],
  ['90 s ahead', 90_000],
  ['a day ahead', 24 * 60 * MINUTE_MS],
];

describe.each(SKEWS)("a worker's clock that is %s", (_, skewMs) => {
  it('makes no healthy part short, and no broken one healthy', async () => {
    const run = await recordings.start({
      dispatch: (call) =>
        call > 1 ? undefined : { kind: 'started', egressId: run.egressId(), acceptedAtMs: Date.now() + skewMs },
    });
    const part = async (attempt: number, lastingMs: number) => {
      await run.untilAccepted(attempt);
      const startedAtMs = (await run.now()) + skewMs;
      await run.report(run.snapshot('ACTIVE', { attempt, startedAtMs, acceptedAtMs: startedAtMs - 500 }));
      await run.until(({ stage }) => stage === 'recording');
      await run.sleep(lastingMs);
      const times = { startedAtMs, acceptedAtMs: startedAtMs - 500, endedAtMs: (await run.now()) + skewMs };
      await run.report(run.complete('CPU exhausted', { attempt, ...times }));
    };
    await part(0, 5 * MINUTE_MS);
    await part(1, 5_000);
    await part(2, 5_000);
    const { parts } = await run.untilAccepted(3);
    const lasted = parts.slice(0, 3).map(({ startedAtMs = 0, endedAtMs = 0 }) => endedAtMs - startedAtMs);
    expect(lasted[0]).toBeGreaterThan(5 * MINUTE_MS - 5_000);
    expect(lasted[0]).toBeLessThan(5 * MINUTE_MS + 5_000);
    expect(Math.max(...lasted.slice(1))).toBeLessThan(15_000);
    // Short ones are followed after a pause, the healthy one at once.
    const dispatched = run.calls.filter(({ name }) => name === 'dispatch').map(({ atMs }) => atMs);
    const pauses = parts.slice(1).map((_part, index) => (dispatched[index + 1] ?? 0) - (parts[index]?.endedAtMs ?? 0));
    expect(pauses[0]).toBeLessThan(pauses[2] ?? 0);
    expect(pauses[2]).toBeGreaterThanOrEqual(5_000);
  });

  it('moves no deadline', async () => {
    const run = await recordings.start(
      { stopPart: (_call, __, r) => r.complete('StopEgress API') },
      { maxDuration: '30m' },
    );
    await run.untilAccepted();
    await run.report(run.snapshot('ACTIVE', { startedAtMs: (await run.now()) + skewMs }));
    const { parts, endedAtMs = 0, requestedAtMs } = await run.result();
    expect(parts).toHaveLength(1);
    expect(endedAtMs - requestedAtMs).toBeGreaterThan(29 * MINUTE_MS);
    expect(endedAtMs - requestedAtMs).toBeLessThan(31 * MINUTE_MS);
  });
});

it.each(SKEWS)("a host's clock that is %s moves no start deadline", async (_, skewMs) => {
  const before = await recordings.env.currentTimeMs();
  const run = await recordings.start({ dispatch: FULL }, { startWithin: '10m', requestedAtMs: before + skewMs });
  const view = await run.result();
  expect(view.stage).toBe('expired');
  expect((view.endedAtMs ?? 0) - before).toBeGreaterThan(9.5 * MINUTE_MS);
  expect((view.endedAtMs ?? 0) - before).toBeLessThan(10.5 * MINUTE_MS);
  expect(Math.abs(view.requestedAtMs - before)).toBeLessThan(15_000);
});
