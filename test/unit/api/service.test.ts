import { pino } from 'pino';
import { describe, expect, it, vi } from 'vitest';
import { cached } from '../../../src/api/cached.ts';
import { runPhases } from '../../../src/service/shutdown.ts';
import { hideUrl } from '../../../src/telemetry/log.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { startTestApi } from './support.ts';

const quiet = pino({ level: 'silent' });

describe('health, readiness and metrics', () => {
  it('is alive without asking anybody', async () => {
    const api = await startTestApi();
    expect(await (await api.request('/healthz', { token: null })).json()).toEqual({ status: 'ok' });
    expect(api.recordings.calls).toEqual([]);
  });

  it('is not ready while something is missing, and names it', async () => {
    const api = await startTestApi();
    const response = await api.request('/readyz', { token: null });
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ checks: { livekit: { ok: false, detail: 'does not answer' } } });
  });

  it('is ready when nothing is missing', async () => {
    const api = await startTestApi({ readReadiness: async () => ({ status: 'ready', checks: {} }) });
    expect((await api.request('/readyz', { token: null })).status).toBe(200);
  });

  it('answers metrics as Prometheus reads them', async () => {
    const api = await startTestApi();
    const response = await api.request('/metrics', { token: null });
    expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(await response.text()).toBe('reelkit_test 1\n');
  });
});

describe('metrics', () => {
  it('count HTTP requests by route, not by path', async () => {
    const metrics = createMetrics();
    const api = await startTestApi({ metrics });
    await api.request('/v1/recordings/abc');
    await api.request('/nowhere/1');
    await vi.waitFor(async () => {
      const text = await metrics.text();
      expect(text).toContain('route="/v1/recordings/:id"');
      expect(text).toContain('route="other"');
      expect(text).not.toContain('abc');
    }, 10_000);
  });

  it('tell what the time to a start was spent on', async () => {
    const metrics = createMetrics();
    metrics.started({ queueMs: 30_000, startMs: 600 });
    metrics.startOutcome('gpu', 'no_capacity');
    metrics.workers('gpu', { ready: 1, busy: 2 });
    metrics.cores('gpu', { demand: 8, capacity: 12 });
    metrics.pass('gpu', { durationMs: 40, decided: true });
    const text = await metrics.text();
    expect(text).toContain('reelkit_recording_start_seconds_sum{spent_on="queue"} 30');
    expect(text).toContain('reelkit_recording_start_seconds_sum{spent_on="total"} 30.6');
    expect(text).toContain('reelkit_start_outcomes_total{fleet="gpu",outcome="no_capacity"} 1');
    expect(text).toContain('reelkit_workers{fleet="gpu",state="busy"} 2');
    expect(text).toContain('reelkit_cores{fleet="gpu",kind="capacity"} 12');
    expect(text).toContain('reelkit_fleet_pass_seconds_count{fleet="gpu",decided="true"} 1');
  });

  it('are scraped without the recordings while Temporal is away', async () => {
    const metrics = createMetrics();
    let away = false;
    const count = async () => {
      if (away) throw new Error('away');
      return { waiting: 3 };
    };
    metrics.countRecordings(new Map([['gpu', count]]));
    expect(await metrics.text()).toContain('reelkit_recordings{fleet="gpu",stage="waiting"} 3');
    away = true;
    expect(await metrics.text()).not.toContain('reelkit_recordings{');
  });
});

describe('an orderly shutdown', () => {
  it('goes through its phases in order, and past one that overruns or fails', async () => {
    const order: string[] = [];
    const results = await runPhases(
      [
        { name: 'first', limitMs: 1_000, run: async () => void order.push('first') },
        { name: 'hangs', limitMs: 20, run: () => new Promise(() => order.push('hangs')) },
        { name: 'breaks', limitMs: 1_000, run: () => Promise.reject(new Error('broken')) },
        { name: 'nothing to do', limitMs: 1_000, run: () => undefined },
        { name: 'last', limitMs: 1_000, run: async () => void order.push('last') },
      ],
      quiet,
    );
    expect(order).toEqual(['first', 'hangs', 'last']);
    expect(results.map(({ outcome }) => outcome)).toEqual(['done', 'overran', 'failed', 'done', 'done']);
  });
});

describe('one answer for all who ask', () => {
  it('is read once within its time, and again after a failure', async () => {
    let nowMs = 0;
    let fail = true;
    const read = vi.fn(async () => {
      if (fail) throw new Error('not yet');
      return nowMs;
    });
    const ask = cached(1_000, read, () => nowMs);
    await expect(ask()).rejects.toThrow('not yet');
    fail = false;
    expect(await Promise.all([ask(), ask()])).toEqual([0, 0]);
    nowMs = 999;
    expect(await ask()).toBe(0);
    nowMs = 1_000;
    expect(await ask()).toBe(1_000);
    expect(read).toHaveBeenCalledTimes(3);
  });
});

describe('a URL in a log', () => {
  it.each([
    ['https://user:hunter2@example.com/a?key=hunter2#x', 'https://example.com/a?…'],
    ['http://example.com', 'http://example.com/'],
    ['hunter2', '(not a URL)'],
  ])('%s', (url, shown) => {
    expect(hideUrl(url)).toBe(shown);
  });
});
