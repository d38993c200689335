// The configuration of workers as EC2 instances of an Auto Scaling group, one egress an instance.
import { z } from 'zod';
import { awsKeys, workerKeys } from '../aws/config.ts';

export const asgCapacity = z.strictObject({
  provider: z.literal('asg'),
  ...awsKeys,
  ...workerKeys,
  /** Name of the group. Nobody else may set its size. */
  group: z.string().min(1).max(255),
  /** vCPUs of an instance; its egress counts them all. */
  coresPerWorker: z.number().positive(),
});

export type AsgCapacity = z.output<typeof asgCapacity>;
