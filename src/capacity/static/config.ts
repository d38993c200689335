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
        cpuCores: z.number().positive(),
      }),
    )
    .min(1)
    .superRefine((workers, context) => {
      for (const { index, key, first } of shared(workers))
        context.addIssue({
          code: 'custom',
          path: [index, key],
          message: `is that of workers.${first}, too: each has its own`,
        });
    }),
});

type Worker = Record<'id' | 'healthUrl', string> & Partial<Record<'topic' | 'metricsUrl', string | undefined>>;

function shared(workers: readonly Worker[]) {
  const topicOf = ({ id, topic = id }: Worker) => topic;
  return workers.flatMap((worker, index) => {
    const others = workers.slice(0, index);
    const firstWith = (same: (other: Worker) => boolean) => others.findIndex(same);
    const found = [
      { key: 'id', first: firstWith(({ id }) => id === worker.id) },
      { key: 'topic', first: firstWith((other) => other.id !== worker.id && topicOf(other) === topicOf(worker)) },
      { key: 'healthUrl', first: firstWith(({ healthUrl }) => healthUrl === worker.healthUrl) },
      { key: 'metricsUrl', first: firstWith(({ metricsUrl: url }) => url !== undefined && url === worker.metricsUrl) },
    ];
    return found.flatMap(({ key, first }) => (first < 0 ? [] : [{ index, key, first }]));
  });
}

export type StaticCapacity = z.output<typeof staticCapacity>;
