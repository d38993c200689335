// A hundred recordings at once against no pod and no node; then half of them end while the others go on, and at last all. What is
// counted is what must never happen: a recording that never begins, one that runs twice, a pod taken away while it records.
import { type Bed, until } from '../bed.ts';
import {
  allEgresses,
  type Crowd,
  countRow,
  describe,
  describeTimes,
  everyOther,
  recordCrowd,
  stopMany,
} from '../crowd.ts';
import type { Row } from '../rows.ts';
import { type HpaOutcome, measureHpa } from './hpa.ts';
import { backToNothing, type PodWatch } from './pods.ts';
import { type Removed, recordingsOf, removedOf } from './removed.ts';

/** As LiveKit recommends; a busy worker fills 80 % of them, three egresses of one core each. */
export const CORES_PER_POD = 4;
const SHRINK_LIMIT_MS = 60_000;
const SEEN_LIMIT_MS = 15_000;
/** The kubelet lives in this process and must not starve. */
const POLL_MS = 1_000;

interface Outcome {
  crowd: Crowd;
  removed: Removed;
  how: string;
}

export async function measureBurst(
  bed: Bed,
  watch: PodWatch,
  size: number,
  report: (line: string) => void,
): Promise<Row[]> {
  const rooms = await bed.createRooms(size, 'crowd');
  const ours = await throughReelkit(bed, watch, rooms, report);
  report(`Reelkit: ${describe(ours.crowd)}; ${ours.how}; ${ours.removed.busy.length} of them busy`);
  for (const line of ours.removed.busy) report(`busy when it was taken away: ${line}`);
  // From here on LiveKit is alone.
  await bed.service.stop();
  const theirs = await measureHpa(bed, watch, { rooms, coresPerPod: CORES_PER_POD }, report);
  return rowsOf(ours, theirs);
}

async function throughReelkit(
  bed: Bed,
  watch: PodWatch,
  rooms: string[],
  report: (line: string) => void,
): Promise<Outcome> {
  const earlier = new Set(watch.all());
  if (watch.living().length > 0) throw new Error('the burst begins with no pod, and there are some');
  const crowd = await recordCrowd(bed, rooms, { pollMs: POLL_MS });
  const full = watch.living().length;
  report(`${describeTimes(crowd)}, on ${full} pods`);
  await untilSeen(watch, crowd);
  const shrunk = await endHalf(bed, watch, crowd);
  report(`half of them ended: ${shrunk} of ${full} pods left`);
  await stopMany(bed, everyOther(crowd.ids, 1));
  await backToNothing(bed.cluster, watch);
  const pods = watch.all().filter((facts) => !earlier.has(facts));
  const removed = await removedOf(bed, pods);
  const seen = new Set(pods.flatMap(recordingsOf));
  const unseen = (await allEgresses(bed)).filter(
    ({ egressId, roomName }) => rooms.includes(roomName) && !seen.has(egressId),
  ).length;
  return {
    crowd,
    removed,
    how: `${pods.length} pods made, ${full} once all recorded, ${shrunk} once half had ended, then none${unseen > 0 ? `; ${unseen} egresses were seen on no pod` : ''}`,
  };
}

/** Who ends before the watch has looked would be on no pod. */
async function untilSeen(watch: PodWatch, { ids }: Crowd): Promise<void> {
  const shown = async () => watch.living().reduce((sum, { egresses }) => sum + egresses.size, 0);
  await until('the pods to show them', shown, (count) => count >= ids.length, SEEN_LIMIT_MS).catch(() => undefined);
}

/** @returns how many pods were left when only those that record were, or when that took too long */
async function endHalf(bed: Bed, watch: PodWatch, { ids }: Crowd): Promise<number> {
  const before = watch.living().length;
  await stopMany(bed, everyOther(ids, 0));
  const endMs = Date.now() + SHRINK_LIMIT_MS;
  const onlyBusy = () => watch.living().every(({ egresses }) => egresses.size > 0);
  await until(
    'idle pods to go',
    async () => (onlyBusy() && watch.living().length < before) || Date.now() > endMs,
    (over) => over,
    2 * SHRINK_LIMIT_MS,
  );
  return watch.living().length;
}

function rowsOf({ crowd, removed, how }: Outcome, { once, blind, shrunk, setting }: HpaOutcome): Row[] {
  const beside = `a Deployment by HPA; SDK once: ${describe(once)}; blind retry: ${describe(blind)}`;
  const begin = `${crowd.rooms.length} SDK calls at once from no pod and no node`;
  return [
    countRow(
      'k8s_burst_lost',
      crowd.lost,
      beside,
      `${begin}: never recorded; all record after ${Math.max(...crowd.lastedMs)} ms. ${setting}`,
    ),
    countRow('k8s_burst_doubled', crowd.doubled, beside, `${begin}: rooms with more than one egress`),
    {
      ...countRow(
        'k8s_busy_removed',
        removed.busy.length,
        `a Deployment by HPA, after half has ended: ${shrunk.busy.length} busy of ${shrunk.pods} pods that it takes away`,
        `pods that got a signal or were deleted while they recorded; ${how}`,
      ),
      unit: 'pods',
    },
  ];
}
