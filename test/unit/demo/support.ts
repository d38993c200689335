// A demo in which everything held, to be spoiled by a test in one place.
import type { FleetView } from '../../../src/api/schemas.ts';
import { type Actor, castOf, requestFor, timingOf, wantedDurationMs } from '../../../src/demo/cast.ts';
import type { Evidence, RecordingEvidence } from '../../../src/demo/checks/evidence.ts';
import { expectedEnd } from '../../../src/demo/checks/expectations.ts';
import { recordingRequestSchema } from '../../../src/recording/request.ts';
import type { RecordingView } from '../../../src/recording/view.ts';

export const startMs = 1_800_000_000_000;
export const timing = timingOf(20_000);
export const cast = castOf(4);

export function actorAt(i: number): Actor {
  const actor = cast[i];
  if (!actor) throw new Error(`the cast has no actor ${i}`);
  return actor;
}

/** As the API shows it while media flows; `changes` are laid over it. */
export function recordingView(actor: Actor, changes: Partial<RecordingView> = {}): RecordingView {
  const tracks = { audioTrackId: 'TR_a', videoTrackId: 'TR_v' };
  return {
    id: `EG_${actor.room}`,
    stage: 'recording',
    fleet: 'default',
    request: recordingRequestSchema.parse(requestFor(actor, 'room', tracks, timing)),
    requestedAtMs: startMs - 8_000,
    startDeadlineMs: startMs + 60_000,
    startedAtMs: startMs,
    endDeadlineMs: startMs + timing.maxDurationMs,
    parts: [{ number: 1, attempts: 1, egressId: `EG_${actor.room}`, startedAtMs: startMs, files: [] }],
    spent: { queueMs: 7_500, startMs: 500 },
    ...changes,
  };
}

export function endedView(actor: Actor): RecordingView {
  const { stage, reason } = expectedEnd[actor.role];
  const durationMs = wantedDurationMs(actor, timing);
  const endedAtMs = startMs + durationMs + 3_000;
  const filename = `${actor.room}.mp4`;
  const file = { location: `/files/${filename}`, filename, storage: 'local', sizeBytes: 700_000, durationMs };
  const part = { number: 1, attempts: 1, egressId: `EG_${actor.room}`, startedAtMs: startMs, endedAtMs };
  return recordingView(actor, {
    stage,
    reason: { code: reason, message: 'as it should' },
    endedAtMs,
    endDeadlineMs: startMs + timing.maxDurationMs + (actor.role === 'extended' ? timing.extendByMs : 0),
    parts: [{ ...part, files: [file], end: { status: 'COMPLETE' } }],
  });
}

export function recordingEvidence(actor: Actor): RecordingEvidence {
  const durationMs = wantedDurationMs(actor, timing);
  const media = {
    durationSeconds: durationMs / 1_000,
    sizeBytes: 700_000,
    streams: [
      { type: 'video' as const, codec: 'h264' },
      { type: 'audio' as const, codec: 'aac' },
    ],
  };
  return {
    actor,
    actedAtMs: startMs + durationMs,
    view: endedView(actor),
    files: [{ path: `/files/${actor.room}.mp4`, toldDurationMs: durationMs, toneHz: actor.toneHz, media }],
  };
}

export function flawlessEvidence(): Evidence {
  return {
    timing,
    recordings: cast.map(recordingEvidence),
    fleet: { workersBefore: 0, mostWorkers: 4, workersAfter: 0 },
    egressIds: cast.map(({ room }) => `EG_${room}`),
    logs: { service: 'reelkit.log', workers: 'workers', livekit: 'livekit.log' },
  };
}

type WorkerView = FleetView['workers'][number];

export function worker(id: string, state: WorkerView['state'], busy = false): WorkerView {
  return { id, state, busy, egressIds: busy ? [`EG_${id}`] : [], cpuCores: 4, owned: true, launchedAtMs: startMs };
}

export function fleetView(workers: WorkerView[], lines: readonly string[] = []): FleetView {
  return {
    name: 'default',
    provider: 'process',
    minWorkers: 0,
    maxWorkers: 4,
    workers,
    demandCores: 16,
    capacityCores: 8,
    recordings: {},
    // Newest first, as the API answers.
    decisions: lines.map((line, i) => ({ pass: i + 1, atMs: startMs + i, line })).reverse(),
    bootsMs: [],
    problems: [],
  };
}
