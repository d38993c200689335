// What Reelkit costs when nothing happens.
import { setTimeout as sleep } from 'node:timers/promises';
import { audioOf, type Bed, startBed, until } from './bed.ts';
import type { Bench } from './context.ts';
import type { Row } from './rows.ts';

/** A fleet that rests without being asleep would look within 30 s. */
const QUIET_MS = 60_000;

export async function benchRest({ report }: Bench): Promise<Row[]> {
  const bed = await startBed({
    fleet: { minWorkers: 0, maxWorkers: 2, cooldown: '1s' },
    capacity: { coresPerWorker: 8 },
  });
  try {
    await recordOnce(bed);
    report(`fleet at rest, waiting ${QUIET_MS / 1_000} s`);
    return [await idleEvents(bed)];
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
    how: `${QUIET_MS / 1_000} s with nothing to record: ${events} new history events in all workflows, ${workers} workers`,
  };
}

/** History events of every workflow there is. */
async function countEvents(bed: Bed): Promise<number> {
  let events = 0;
  for await (const { historyLength } of bed.temporal.workflow.list()) events += historyLength;
  const fleet = await bed.temporal.workflow.getHandle('fleet/default').describe();
  return events + fleet.historyLength;
}
