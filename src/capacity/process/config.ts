// The configuration of workers as processes of this machine.
import { z } from 'zod';
import { duration } from '../../config/values.ts';

export const processCapacity = z.strictObject({
  provider: z.literal('process'),
  /** REELKIT_EGRESS_BIN. The egress binary. */
  bin: z.string().min(1),
  /** Worker configuration in livekit/egress's own keys; ports and cluster_id are set for each worker. */
  configFile: z.string().min(1),
  /** State, logs and configuration of each worker; what is found here after a restart is adopted. */
  stateDir: z.string().min(1),
  /** CPU cores each worker's admission counts. */
  coresPerWorker: z.number().positive().default(4),
  /** Waits this long before it starts the binary: a stand-in for a booting node. */
  bootDelay: duration('0s'),
  /** Never shown. */
  env: z.record(z.string(), z.string()).default({}),
});

export type ProcessCapacity = z.output<typeof processCapacity>;
