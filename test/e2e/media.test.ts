// Real media: synthetic speakers in a real room, recorded to MP4, looked into with ffprobe and ffmpeg.
import { mkdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { probeMedia, toneFrequency } from '../../src/dev/media.ts';
import { type Speaker, startSpeaker } from '../../src/dev/speakers.ts';
import type { RecordingRequestInput } from '../../src/recording/request.ts';
import type { RecordingView } from '../../src/recording/view.ts';
import { useStack } from '../support/stack.ts';

// The costs are cut, so that all three recordings share one worker on a small machine.
const costs = { roomComposite: 1, participant: 1, trackComposite: 1 };
const e2e = useStack({ media: true, fleet: { maxWorkers: 1, costs }, capacity: { coresPerWorker: 8 } });
const speakers: Speaker[] = [];
const ROOM = 'studio';

beforeAll(async () => {
  await mkdir(e2e.stack.logDir, { recursive: true });
  const logFile = `${e2e.stack.logDir}/speakers.log`;
  for (const [identity, toneHz] of [
    ['ada', 440],
    ['bob', 770],
  ] as const) {
    speakers.push(await startSpeaker({ livekit: e2e.stack.livekit, room: ROOM, identity, toneHz, logFile }));
  }
});

afterAll(async () => {
  await Promise.all(speakers.map((speaker) => speaker.stop()));
});

async function record(source: RecordingRequestInput['source']): Promise<RecordingView> {
  const { id } = await e2e.api.record({ source, maxDuration: '8s' });
  const ended = await e2e.api.untilEnded(id, 150_000);
  expect(ended).toMatchObject({ stage: 'completed', reason: { code: 'max_duration' } });
  return ended;
}

async function look(view: RecordingView) {
  const { ffmpeg, ffprobe } = e2e.binaries;
  const [part] = view.parts;
  const file = part?.files[0]?.location ?? '';
  const media = await probeMedia(ffprobe, file);
  expect(media.streams.map(({ type, codec }) => `${type} ${codec}`).sort()).toEqual(['audio aac', 'video h264']);
  // The egress ends later than what it recorded: in between the file is written.
  const lastedSeconds = ((view.endDeadlineMs ?? 0) - (view.startedAtMs ?? 0)) / 1_000;
  expect(media.durationSeconds).toBeGreaterThan(lastedSeconds - 2);
  // Its end is when the worker hears of it, on a machine that also draws the pictures.
  expect(media.durationSeconds).toBeLessThan(lastedSeconds + 15);
  expect(Math.abs(media.durationSeconds - (part?.files[0]?.durationMs ?? 0) / 1_000)).toBeLessThan(1);
  return toneFrequency(ffmpeg, file, { fromSeconds: media.durationSeconds / 2, seconds: 2 });
}

test('a room, a participant and two tracks become MP4 files with picture and sound of the right length', async () => {
  const [ada, bob] = speakers;
  const [room, participant, tracks] = await Promise.all([
    record({ type: 'room', room: ROOM }),
    record({ type: 'participant', room: ROOM, identity: 'ada' }),
    record({
      type: 'tracks',
      room: ROOM,
      audioTrackId: bob?.audioTrackId,
      videoTrackId: ada?.videoTrackId,
    }),
  ]);
  const roomHz = (await look(room)) ?? 0;
  expect(Math.min(...[440, 770].map((hz) => Math.abs(roomHz - hz)))).toBeLessThanOrEqual(5);
  expect(Math.abs(((await look(participant)) ?? 0) - 440)).toBeLessThanOrEqual(5);
  expect(Math.abs(((await look(tracks)) ?? 0) - 770)).toBeLessThanOrEqual(5);
});

test('nothing of a pause is in any file, and what comes after it is', async () => {
  const { api, binaries } = e2e;
  const PAUSE_MS = 6_000;
  const { id } = await api.record({ source: { type: 'participant', room: ROOM, identity: 'ada' } });
  await api.untilStage(id, 'recording');
  await sleep(3_000);
  const { pauses: [pause] = [] } = await api.pause(id);
  await api.untilStage(id, 'paused');
  await sleep(PAUSE_MS);
  await api.resume(id);
  await api.untilStage(id, 'recording');
  await sleep(3_000);
  await api.cancel(id);
  const ended = await api.untilEnded(id);
  expect(ended).toMatchObject({ stage: 'cancelled', parts: [{ files: [{}] }, { files: [{}] }] });
  const [before, after] = await Promise.all(
    ended.parts.map(
      async (part) => (await probeMedia(binaries.ffprobe, part.files[0]?.location ?? '')).durationSeconds,
    ),
  );
  const startedAtMs = ended.startedAtMs ?? 0;
  // The worker hears of it a moment after it was asked for.
  const untilPauseSeconds = ((pause?.sinceMs ?? 0) - startedAtMs) / 1_000;
  expect(before).toBeGreaterThan(untilPauseSeconds - 2);
  expect(before).toBeLessThan(untilPauseSeconds + PAUSE_MS / 2_000);
  const resumedAtMs = ended.pauses?.[0]?.untilMs ?? 0;
  expect(ended.parts[1]?.startedAtMs).toBeGreaterThanOrEqual(resumedAtMs);
  expect(after).toBeGreaterThan(2);
});
