// The configuration of workers that somebody else runs.
import { z } from 'zod';
import { webUrl } from '../../config/values.ts';

export const staticCapacity = z.strictObject({
  provider: z.literal('static'),
  workers: z
    .array(
      z.strictObject({
        id: z.string().min(1),
        /** The worker's cluster_id, another one for each; the id by default. */
        topic: z.string().min(1).optional(),
        /** The worker's health_port. */
        healthUrl: webUrl,
        /** The worker's prometheus_port. */
        metricsUrl: webUrl.optional(),
        cpuCores: z.coerce.number().positive(),
      }),
    )
    .min(1),
});

export type StaticCapacity = z.output<typeof staticCapacity>;
