// An egress worker that the tests start themselves, on the Redis and with the topic they choose: on LiveKit's own without a topic it
// is a worker as everybody has them without Reelkit.
import { join } from 'node:path';
import { findFreePorts } from '../../src/capacity/process/ports.ts';
import { pathOf } from '../../src/capacity/process/provider.ts';
import { type Child, startChild } from '../../src/dev/child.ts';
import { writeEgressConfig } from '../../src/dev/egress-config.ts';
import { stateDirVariable } from '../../src/dev/leftovers.ts';
import type { Stack } from '../../src/dev/stack.ts';

const READY_MS = 30_000;

export interface WorkerOptions {
  stack: Pick<Stack, 'stateDir' | 'logDir' | 'livekit'>;
  redis: { address: string };
  /** The worker's binary. */
  egress: string;
  /** Its cluster_id. */
  topic?: string;
  cores?: number;
  env?: Record<string, string>;
  /** More of its configuration. */
  config?: Record<string, unknown>;
}

export async function startEgressWorker(options: WorkerOptions): Promise<Child> {
  const { stack, redis, egress, topic, cores = 4, env = {}, config = {} } = options;
  const { stateDir, logDir, livekit } = stack;
  const [health = 0, metrics = 0, template = 0] = await findFreePorts(3, new Set());
  const configFile = await writeEgressConfig(join(stateDir, `egress-${health}.yaml`), {
    livekit,
    redis,
    extra: {
      ...(topic === undefined ? {} : { cluster_id: topic }),
      health_port: health,
      prometheus_port: metrics,
      template_port: template,
      ...config,
    },
  });
  return startChild({
    name: 'egress worker',
    command: egress,
    args: ['--config', configFile],
    env: {
      PATH: pathOf(egress),
      LIVEKIT_CPU_REQUEST: String(cores),
      STANDIN_MEDIA: 'none',
      [stateDirVariable]: stateDir,
      ...env,
    },
    cwd: stateDir,
    logFile: join(logDir, `egress-${health}.log`),
    ready: async () => (await fetch(`http://127.0.0.1:${health}/`)).ok,
    readyTimeoutMs: READY_MS,
  });
}
