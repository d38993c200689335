// A worker that is killed takes no more with it than its open segment: the file of its part is made again from what it had stored.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { probeMedia, toneFrequency } from '../../src/dev/media.ts';
import { COMPLETE } from '../support/stack-livekit.ts';
import { waitFor } from '../support/stack-wait.ts';
import { ENCODING, SOURCE, TONE_HZ, useStudio } from '../support/studio.ts';

const { e2e, folder } = await useStudio(4);
const SEGMENT_SECONDS = 4;

test('what a killed worker had recorded becomes a file, and the recording goes on', async () => {
  const { api, livekit, binaries } = e2e;
  const { id } = await api.record({ source: SOURCE, encoding: ENCODING });
  const { startedAtMs = 0 } = await api.untilStage(id, 'recording');
  await sleep(13_000);
  const killedAtMs = Date.now();
  await e2e.killWorkerOf(id);
  await waitFor(
    'the next part records',
    () => api.show(id),
    ({ parts, stage }) => parts.length === 2 && stage === 'recording',
  );
  await sleep(3_000);
  await api.cancel(id);
  const ended = await api.untilEnded(id);
  expect(ended).toMatchObject({ stage: 'cancelled', parts: [{ files: [{ rebuilt: true }] }, { files: [{}] }] });

  const [kept, next] = ended.parts.flatMap(({ files }) => files);
  const { durationSeconds, streams } = await probeMedia(binaries.ffprobe, kept?.location ?? '');
  expect(streams.map(({ type, codec }) => `${type} ${codec}`).sort()).toEqual(['audio aac', 'video h264']);
  const recordedSeconds = (killedAtMs - startedAtMs) / 1_000;
  // The stand-in cuts a segment a second after its time.
  expect(durationSeconds).toBeGreaterThan(recordedSeconds - SEGMENT_SECONDS - 2);
  expect(durationSeconds).toBeLessThanOrEqual(recordedSeconds + 1);
  const heard = await toneFrequency(binaries.ffmpeg, kept?.location ?? '', { fromSeconds: 4, seconds: 2 });
  expect(Math.abs((heard ?? 0) - TONE_HZ)).toBeLessThanOrEqual(5);

  // LiveKit's own record names both files, and nothing of what was kept meanwhile.
  await livekit.untilStatus(id, COMPLETE);
  const [egress] = await livekit.egresses.listEgress({ egressId: id });
  expect(egress?.fileResults.map(({ filename }) => filename)).toEqual([
    kept?.filename,
    next?.filename,
    ended.joined?.filename,
  ]);
  expect(egress?.segmentResults).toEqual([]);

  // One file that plays through, as long as both, with what is missing told.
  const { seams: [seam] = [], location = '' } = ended.joined ?? {};
  const whole = await probeMedia(binaries.ffprobe, location);
  const rest = await probeMedia(binaries.ffprobe, next?.location ?? '');
  expect(Math.abs(whole.durationSeconds - durationSeconds - rest.durationSeconds)).toBeLessThan(0.2);
  expect(Math.abs((seam?.atMs ?? 0) / 1_000 - durationSeconds)).toBeLessThan(0.2);
  expect(seam?.gapMs).toBeGreaterThan(500);

  const left = await filesIn(folder);
  expect(left.filter((path) => path.includes('.reelkit'))).toEqual([]);
  const manifest = JSON.parse(await readFile(left.find((path) => path.endsWith('.recording.json')) ?? '', 'utf8'));
  expect(manifest).toMatchObject({ recording: id, parts: [{ files: [{ rebuilt: true }] }, {}] });
  expect(manifest.gaps).toMatchObject([{ reason: 'worker_lost' }]);
});

test('a part that ends well keeps its file, and its segments go', async () => {
  const { id } = await e2e.api.record({ source: SOURCE, encoding: ENCODING, maxDuration: '8s' });
  await e2e.api.untilStage(id, 'recording');
  await waitFor(
    'a segment lies beside the file',
    async () => (await filesIn(folder)).filter((path) => path.includes(`.reelkit/${id}/0/segment`)),
    (segments) => segments.length > 0,
  );
  const ended = await e2e.api.untilEnded(id);
  expect(ended.parts).toMatchObject([{ files: [{}] }]);
  expect(ended.parts[0]?.files[0]).not.toHaveProperty('rebuilt');
  expect((await filesIn(folder)).filter((path) => path.includes('.reelkit'))).toEqual([]);
});

test('nobody who asks for the file only has segments', async () => {
  const { id } = await e2e.api.record({ source: SOURCE, encoding: ENCODING, keep: 'file-only' });
  await e2e.api.untilStage(id, 'recording');
  await sleep(7_000);
  expect((await filesIn(folder)).filter((path) => path.includes('.reelkit'))).toEqual([]);
  await e2e.api.cancel(id);
  await e2e.api.untilEnded(id);
});

async function filesIn(path: string): Promise<string[]> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}
