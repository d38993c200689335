// A hundred rooms that fill a worker each, from no worker: every start meets an idle worker of its own.
import { beginFromNothing, ratioRow, warmFleet, withEmptyFleet } from './begin.ts';
import type { Bench } from './context.ts';
import type { Row } from './rows.ts';

const ROOMS = 100;
const CORES = 4;
const TARGET = 1.3;

export async function benchRooms(bench: Bench): Promise<Row[]> {
  const size = bench.times(ROOMS);
  const begin = { size, workers: size, coresPerWorker: CORES, video: true };
  const ours = await withEmptyFleet(begin, (bed) => beginFromNothing(bed, begin, bench));
  const warm = await warmFleet(begin, bench);
  const what = `${size} rooms of ${CORES} cores at once, no worker, ${size} workers of ${CORES} cores`;
  return [ratioRow('burst_rooms_ratio', ours, warm, TARGET, what)];
}
