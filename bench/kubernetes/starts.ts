// One recording after the other, each on a pod of its own: how soon the pod is asked for, and how soon it records once it is ready.
// Beside it the SDK's own call on an idle worker of a LiveKit without Reelkit, taking turns.
import { setTimeout as sleep } from 'node:timers/promises';
import { type Alone, withAlone } from '../alone.ts';
import { type Bed, until } from '../bed.ts';
import { startOne, stopOne } from '../crowd.ts';
import { median, percentile } from '../figures.ts';
import type { Row } from '../rows.ts';
import type { PodFacts, PodWatch } from './pods.ts';

/** One egress fits, and stays, so that the next recording finds no worker. */
export const CORES_PER_START = 1;
/** By then the fleet has seen that all its workers are busy, and rests: what comes next may be the first of a burst. */
const REST_MS = 3_500;

interface Turn {
  waitingToPodMs: number;
  readyToRecordingMs: number;
  sdkMs: number;
}

export async function measureStarts(
  bed: Bed,
  watch: PodWatch,
  count: number,
  report: (line: string) => void,
): Promise<Row[]> {
  const turns = await withAlone(async (alone) => {
    await alone.startWorkers(1, CORES_PER_START);
    const [theirRoom = ''] = await alone.createRooms(1, 'start');
    const taken: Turn[] = [];
    for (const room of await bed.createRooms(count, 'start')) {
      const sdkMs = await startThroughSdk(alone, theirRoom);
      taken.push({ ...(await takeTurn(bed, watch, room)), sdkMs });
    }
    return taken;
  });
  const { waitingMs, readyMs, sdkMs } = timesOf(turns);
  report(`waiting to pod, ms: ${waitingMs.join(' ')}`);
  report(`ready to recording, ms: ${readyMs.join(' ')}; SDK: ${sdkMs.join(' ')}`);
  return rowsOf(turns);
}

async function takeTurn(bed: Bed, watch: PodWatch, room: string): Promise<Omit<Turn, 'sdkMs'>> {
  const known = new Set(watch.all());
  const askedMs = Date.now();
  const id = await startOne(bed, room);
  const { waiting } = await until(
    'the recording to wait',
    () => bed.show(id),
    (view) => view.waiting?.for === 'capacity' || view.parts.length > 0,
  );
  const { parts } = await until(
    'acceptance',
    () => bed.show(id),
    (view) => view.parts[0]?.acceptedAtMs !== undefined,
  );
  const pod = await until(
    'the pod to be called ready',
    async () => onlyNew(watch, known),
    ({ readyMs }) => readyMs !== undefined,
  );
  await sleep(REST_MS);
  return {
    waitingToPodMs: pod.addedMs - (waiting?.sinceMs ?? askedMs),
    readyToRecordingMs: (parts[0]?.acceptedAtMs ?? Number.NaN) - (pod.readyMs ?? Number.NaN),
  };
}

function onlyNew(watch: PodWatch, known: Set<PodFacts>): PodFacts {
  const [pod, ...more] = watch.all().filter((facts) => !known.has(facts));
  if (!pod || more.length > 0)
    throw new Error(`a recording got ${more.length + (pod ? 1 : 0)} pods of its own, not one`);
  return pod;
}

async function startThroughSdk(alone: Alone, room: string): Promise<number> {
  const sentMs = performance.now();
  const egressId = await startOne(alone, room);
  const tookMs = performance.now() - sentMs;
  await stopOne(alone, egressId);
  return tookMs;
}

function timesOf(turns: Turn[]) {
  return {
    waitingMs: turns.map((turn) => Math.round(turn.waitingToPodMs)),
    readyMs: turns.map((turn) => Math.round(turn.readyToRecordingMs)),
    sdkMs: turns.map((turn) => Math.round(turn.sdkMs)),
  };
}

function rowsOf(turns: Turn[]): Row[] {
  const { waitingMs, readyMs, sdkMs } = timesOf(turns);
  const [ours, theirs, podMs] = [median(readyMs), median(sdkMs), percentile(waitingMs, 0.95)];
  return [
    {
      id: 'k8s_ready_to_recording_ratio',
      value: ours / theirs,
      unit: 'ratio',
      against: `LiveKit alone, SDK StartEgress on an idle worker, ${theirs} ms p50 of ${sdkMs.length}`,
      target: '<= 2.5',
      holds: ours / theirs <= 2.5,
      how: `from the pod's Ready condition, as a watch sees it, until the recording is accepted there, ${ours} ms p50 of ${readyMs.length}, taking turns`,
    },
    {
      id: 'k8s_waiting_to_pod_ms',
      value: podMs,
      unit: 'ms',
      against: '',
      target: '<= 1000',
      holds: podMs <= 1_000,
      how: `a recording waits for capacity until its pod is created, as a watch sees it: p95 of ${waitingMs.length}, one after the other, each with a pod of its own; p50 ${median(waitingMs)} ms`,
    },
  ];
}
