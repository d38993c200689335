// LiveKit as it is without Reelkit: its Redis, the server, and one plain egress worker that has room for everything.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureStandIn } from '../../../src/dev/components.ts';
import { startStack } from '../../../src/dev/stack.ts';
import { startEgressWorker } from '../../support/plain-worker.ts';

export interface PlainOptions {
  webhookUrls?: string[];
  apiSecret?: string;
  cores: number;
  egress: Record<string, unknown>;
  workerEnv: Record<string, string>;
}

export async function startPlainLiveKit({ cores, egress: config, workerEnv: env, ...options }: PlainOptions) {
  const stateDir = await mkdtemp(join(tmpdir(), 'reelkit-plain-'));
  const egress = await ensureStandIn(() => {});
  const stack = await startStack({ stateDir, parts: ['redis', 'livekit'], ...options });
  const worker = await startEgressWorker({ stack, redis: stack.redis, egress, cores, env, config });
  return {
    livekit: stack.livekit,
    recordingsDir: join(stateDir, 'recordings'),
    async end() {
      await worker.kill('SIGKILL');
      await stack.stop();
      await rm(stateDir, { recursive: true, force: true });
    },
  };
}
