// SIGKILL of a worker that records, until the fleet acts: by Temporal's own history, the pass tells the recording that its egress is
// lost, and the recording asks the next worker.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FleetView } from '../src/api/schemas.ts';
import { lookSignal } from '../src/workflows/messages.ts';
import { type Bed, startBed, until } from './bed.ts';
import type { Bench } from './context.ts';
import { startOne, stopOne } from './crowd.ts';
import { describeSpread, median, percentile } from './figures.ts';
import type { Row } from './rows.ts';

const DEATHS = 12;
const TARGET_MS = 1_000;
/** One records, one is ready for the next part. */
const WORKERS = 2;

interface Noticed {
  /** Told by the fleet. */
  toldMs: number;
  /** The next part was accepted. */
  nextPartMs: number;
}

export async function benchDeaths({ report, times }: Bench): Promise<Row[]> {
  const bed = await startBed({
    fleet: { minWorkers: WORKERS, maxWorkers: 2 * WORKERS, watchInterval: '60s' },
    capacity: { coresPerWorker: 4 },
  });
  try {
    const noticed: Noticed[] = [];
    const rooms = await bed.createRooms(times(DEATHS), 'death');
    for (const room of rooms) noticed.push(await killWorkerOf(bed, room));
    const toldMs = noticed.map((one) => one.toldMs);
    const nextPartMs = noticed.map((one) => one.nextPartMs);
    report(`told after ${describeSpread(toldMs)} ms, next part accepted after ${describeSpread(nextPartMs)} ms`);
    return [rowOf(toldMs, nextPartMs)];
  } finally {
    await bed.stop();
  }
}

async function killWorkerOf(bed: Bed, room: string): Promise<Noticed> {
  await until('two ready workers', bed.fleet, ({ workers }) => readyOf(workers).length >= WORKERS);
  const egressId = await startOne(bed, room);
  const { parts } = await until(
    'media',
    () => bed.show(egressId),
    ({ stage }) => stage === 'recording',
  );
  const worker = parts[0]?.worker?.id ?? '';
  const pid = Number(await readFile(join(bed.stateDir, 'workers', worker, 'pid'), 'utf8'));
  const killedMs = Date.now();
  process.kill(-pid, 'SIGKILL');
  const after = await until(
    'the next part',
    () => bed.show(egressId),
    (view) => view.parts[1]?.acceptedAtMs !== undefined,
  );
  const toldAtMs = await toldAfter(bed, egressId, killedMs);
  await stopOne(bed, egressId);
  return { toldMs: toldAtMs - killedMs, nextPartMs: (after.parts[1]?.acceptedAtMs ?? Number.NaN) - killedMs };
}

function readyOf(workers: FleetView['workers']) {
  return workers.filter(({ state }) => state === 'ready');
}

/** By the server's clock, which is this machine's. */
async function toldAfter(bed: Bed, recordingId: string, killedMs: number): Promise<number> {
  const { events } = await bed.temporal.workflow.getHandle(recordingId).fetchHistory();
  const signals = (events ?? []).filter(
    ({ workflowExecutionSignaledEventAttributes: signal }) => signal?.signalName === lookSignal.name,
  );
  const times = signals.map(({ eventTime }) => toMs(eventTime)).filter((ms) => ms >= killedMs);
  return Math.round(Math.min(...times));
}

function toMs(time: { seconds?: unknown; nanos?: number | null } | null | undefined): number {
  return Number(time?.seconds ?? 0) * 1_000 + (time?.nanos ?? 0) / 1_000_000;
}

function rowOf(toldMs: number[], nextPartMs: number[]): Row {
  const value = percentile(toldMs, 0.95);
  return {
    id: 'death_noticed_ms',
    value,
    unit: 'ms',
    against: '',
    target: `<= ${TARGET_MS}`,
    holds: value <= TARGET_MS,
    how:
      `SIGKILL of a worker that records, until the fleet tells the recording, p95 of ${toldMs.length}; p50 ${median(toldMs)} ms; ` +
      `the next worker has accepted after ${percentile(nextPartMs, 0.95)} ms p95`,
  };
}
