// What every AWS provider can be told about AWS itself. Credentials come by the SDK's default chain: environment, profile, the role of
// the task or instance.
import { z } from 'zod';
import { duration, webUrl } from '../../config/values.ts';

export const awsKeys = {
  /** AWS_REGION, or that of the profile, by default. */
  region: z
    .string()
    .regex(/^[a-z]{2}(-[a-z]+)+-\d+$/, { error: 'must be a region of AWS, for example eu-central-1' })
    .optional(),
  /** In place of AWS's own addresses, for all services: a VPC endpoint, an emulator. */
  endpoint: webUrl.optional(),
  /** Tries of one call, for what passes by itself: throttling, a lost connection. */
  maxAttempts: z.int().min(1).max(10).default(3),
};

const port = z.int().min(1).max(65_535);

export const workerKeys = {
  /** `health_port` and `prometheus_port` of the egress's configuration. */
  healthPort: port.default(9_090),
  metricsPort: port.default(9_091),
  /** No recording lasts longer: an instance that is to go must wait for as long. */
  longestRecording: duration('24h'),
};

export interface AwsSettings {
  region?: string | undefined;
  endpoint?: string | undefined;
  maxAttempts: number;
}
