// The configuration of workers as EC2 instances of an Auto Scaling group, one egress an instance.
import { z } from 'zod';
import { duration } from '../../config/values.ts';
import { awsKeys } from '../aws/config.ts';

const port = z.int().min(1).max(65_535);

export const asgCapacity = z.strictObject({
  provider: z.literal('asg'),
  ...awsKeys,
  /** Name of the group. Nobody else may set its size. */
  group: z.string().min(1).max(255),
  /** vCPUs of an instance; its egress counts them all. */
  coresPerWorker: z.number().positive(),
  /** `health_port` and `prometheus_port` of the egress's configuration. */
  healthPort: port.default(9_090),
  metricsPort: port.default(9_091),
  /** No recording lasts longer: the termination hook must hold an instance for as long. */
  longestRecording: duration('24h'),
});

export type AsgCapacity = z.output<typeof asgCapacity>;
