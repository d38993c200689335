// A worker that is drained hands its recording over: the next one records before it is stopped, and nothing is missing in between.
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { probeMedia, toneFrequency } from '../../src/dev/media.ts';
import { ACTIVE, COMPLETE } from '../support/stack-livekit.ts';
import { waitFor } from '../support/stack-wait.ts';
import { ENCODING, SOURCE, TONE_HZ, useStudio } from '../support/studio.ts';

const { e2e } = await useStudio(2);

test('a drained worker hands over without a gap, and ends', async () => {
  const { api, livekit, binaries } = e2e;
  const { id } = await api.record({ source: SOURCE, encoding: ENCODING });
  const { parts: [first] = [], startedAtMs = 0 } = await api.untilStage(id, 'recording');
  const worker = first?.worker?.id ?? '';
  await sleep(4_000);
  const seen: number[] = [];
  const watching = watchLiveKit(id, seen);

  // There is no other worker yet: one is launched for it.
  const drained = await api.post(`/v1/fleets/default/workers/${worker}/drain`);
  expect(drained).toMatchObject({ status: 200, body: { fleet: 'default', worker } });
  await waitFor(
    'another worker records, and the first has finished its file',
    () => api.show(id),
    ({ parts }) => parts.length === 2 && parts[0]?.end !== undefined,
    90_000,
  );
  await waitFor(
    'the drained worker ends',
    () => e2e.workers(),
    (workers) => workers.every((one) => one.id !== worker),
    60_000,
  );
  await sleep(2_000);
  watching.abort();
  // LiveKit saw one egress, active all the time.
  expect(new Set(seen)).toEqual(new Set([ACTIVE]));
  await api.cancel(id);
  const ended = await api.untilEnded(id);
  await livekit.untilStatus(id, COMPLETE);

  const [before, after] = ended.parts;
  expect(after?.worker?.id).not.toBe(worker);
  expect(before?.end).toMatchObject({ status: 'COMPLETE' });
  expect(after?.startedAtMs).toBeLessThan(before?.endingAtMs ?? 0);

  const { seams: [seam] = [], location = '' } = ended.joined ?? {};
  expect(seam?.gapMs).toBe(0);
  expect(seam?.overlapMs).toBeGreaterThan(0);
  const whole = await probeMedia(binaries.ffprobe, location);
  const lastedSeconds = ((after?.startedAtMs ?? 0) - startedAtMs + (after?.files[0]?.durationMs ?? 0)) / 1_000;
  expect(Math.abs(whole.durationSeconds - lastedSeconds)).toBeLessThan(0.2);
  const at = (seam?.atMs ?? 0) / 1_000;
  const heard = await toneFrequency(binaries.ffmpeg, location, { fromSeconds: at - 1, seconds: 2 });
  expect(Math.abs((heard ?? 0) - TONE_HZ)).toBeLessThanOrEqual(5);
  // No step between two pictures is longer than one, the seam's included.
  expect(await longestStep(binaries.ffprobe, location)).toBeLessThan(1.5 / ENCODING.framerate);
});

test('only a worker that the fleet launched can be drained', async () => {
  const { status, body } = await e2e.api.post('/v1/fleets/default/workers/nobody/drain');
  expect({ status, body }).toMatchObject({ status: 404, body: { code: 'worker_not_found' } });
});

function watchLiveKit(id: string, seen: number[]): AbortController {
  const watching = new AbortController();
  const watch = async () => {
    while (!watching.signal.aborted) {
      const [egress, ...others] = await e2e.livekit.egressesOf(id);
      expect(others).toEqual([]);
      if (egress) seen.push(egress.status);
      await sleep(100);
    }
  };
  watch().catch(() => undefined);
  return watching;
}

/** Seconds. */
async function longestStep(ffprobe: string, file: string): Promise<number> {
  const entries = ['-show_entries', 'packet=pts_time', '-of', 'csv=p=0'];
  const { stdout } = await execa(ffprobe, ['-v', 'error', '-select_streams', 'v:0', ...entries, file]);
  const times = stdout
    .split('\n')
    .map((line) => Number.parseFloat(line))
    .filter(Number.isFinite)
    .toSorted((a, b) => a - b);
  return Math.max(...times.slice(1).map((time, index) => time - (times[index] ?? 0)));
}
