// Workers as pods, on a real control plane and a kubelet of this machine: starts on new pods, a burst from nothing beside the
// autoscaler people use today, and what a pass asks of the API server.
import { startBed } from './bed.ts';
import type { Bench } from './context.ts';
import { stopMany } from './crowd.ts';
import { CORES_PER_POD, measureBurst } from './kubernetes/burst.ts';
import { measurePasses } from './kubernetes/passes.ts';
import { backToNothing, watchPods } from './kubernetes/pods.ts';
import { CORES_PER_START, measureStarts } from './kubernetes/starts.ts';
import type { Row } from './rows.ts';

const STARTS = 8;
const BURST = 100;
/** Four pods of the burst a node. */
const POOL = { bootMs: 5_000, cores: 16, maxNodes: 12 };

export async function benchKubernetes({ report, times }: Bench): Promise<Row[]> {
  const passes = await measurePasses(report);
  const bed = await startBed({
    fleet: { minWorkers: 0, maxWorkers: 40, cooldown: '3s', watchInterval: '5s' },
    capacity: { cluster: { pool: POOL, fleet: { cpu: String(CORES_PER_START) } } },
  });
  try {
    const { controlPlane, fleet } = bed.cluster;
    const watch = await watchPods(controlPlane, fleet.namespace);
    try {
      const starts = await measureStarts(bed, watch, times(STARTS), report);
      await stopMany(bed);
      await backToNothing(bed.cluster, watch);
      await fleet.applyTemplate({ cpu: String(CORES_PER_POD) });
      return [...starts, ...(await measureBurst(bed, watch, times(BURST), report)), ...passes];
    } finally {
      await watch.close();
    }
  } finally {
    await bed.stop();
  }
}
