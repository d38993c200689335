// What Reelkit costs when nothing happens, and for each open recording.
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { audioOf, type Bed, startBed, until } from './bed.ts';
import type { Bench } from './context.ts';
import type { Row } from './rows.ts';

const QUIET_MS = 120_000;
const OPEN = 2_000;
const AT_ONCE = 50;

export async function benchRest({ report }: Bench): Promise<Row[]> {
  const bed = await startBed({
    fleet: { minWorkers: 0, maxWorkers: 2, cooldown: '1s' },
    capacity: { coresPerWorker: 8 },
  });
  try {
    await recordOnce(bed);
    report('fleet at rest, waiting two minutes');
    const idle = await idleEvents(bed);
    report(`opening ${OPEN} recordings`);
    return [idle, await bytesPerRecording(bed)];
  } finally {
    await bed.stop();
  }
}

/** So that the rest measured is the rest after work. */
async function recordOnce(bed: Bed): Promise<void> {
  const [room = ''] = await bed.createRooms(1, 'rest');
  const { id } = await bed.record(audioOf(room));
  await until(
    'a recording',
    () => bed.show(id),
    ({ stage }) => stage === 'recording',
  );
  await bed.cancel(id);
  await until('no worker', bed.fleet, ({ workers }) => workers.every(({ state }) => state === 'gone'));
  let last = -1;
  await until(
    'a still history',
    async () => {
      const before = last;
      last = await countEvents(bed);
      await sleep(3_000);
      return last === before;
    },
    (still) => still,
  );
}

async function idleEvents(bed: Bed): Promise<Row> {
  const before = await countEvents(bed);
  await sleep(QUIET_MS);
  const events = (await countEvents(bed)) - before;
  const workers = (await bed.fleet()).workers.filter(({ state }) => state !== 'gone').length;
  return {
    id: 'idle_events',
    value: events + workers,
    unit: 'events + workers',
    against: '',
    target: '0',
    holds: events + workers === 0,
    how: `two minutes with nothing to record: ${events} new history events in all workflows, ${workers} workers`,
  };
}

/** History events of every workflow there is. */
async function countEvents(bed: Bed): Promise<number> {
  let events = 0;
  for await (const { historyLength } of bed.temporal.workflow.list()) events += historyLength;
  const fleet = await bed.temporal.workflow.getHandle('fleet/default').describe();
  return events + fleet.historyLength;
}

async function bytesPerRecording(bed: Bed): Promise<Row> {
  const before = await residentBytes(bed);
  const startAt = new Date(Date.now() + 12 * 3_600_000).toISOString();
  for (let opened = 0; opened < OPEN; opened += AT_ONCE) {
    await Promise.all(
      Array.from({ length: AT_ONCE }, (_, index) => bed.record({ ...audioOf(`open-${opened + index}`), startAt })),
    );
  }
  await until(
    'all to be open',
    () => bed.temporal.workflow.count(`ExecutionStatus = 'Running' AND RecordingStage = 'scheduled'`),
    ({ count }) => count >= OPEN,
  );
  const after = await residentBytes(bed);
  return {
    id: 'bytes_per_recording',
    value: Math.round((after - before) / OPEN),
    unit: 'bytes',
    against: '',
    target: '',
    holds: true,
    how: `resident memory of the service with ${OPEN} open (scheduled) recordings: ${toMiB(before)} -> ${toMiB(after)} MiB`,
  };
}

async function residentBytes(bed: Bed): Promise<number> {
  const status = await readFile(`/proc/${bed.service.pid()}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1_024;
}

function toMiB(bytes: number): number {
  return Math.round(bytes / 1_048_576);
}
