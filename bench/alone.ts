// LiveKit as people have it without Reelkit: egress workers on its own Redis, no topic, LiveKit picks. What Reelkit is compared with.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EgressClient, RoomServiceClient } from 'livekit-server-sdk';
import { findFreePorts } from '../src/capacity/process/ports.ts';
import { pathOf } from '../src/capacity/process/provider.ts';
import { killTree } from '../src/capacity/process/table.ts';
import { type Child, startChild } from '../src/dev/child.ts';
import { ensureStandIn } from '../src/dev/components.ts';
import { writeEgressConfig } from '../src/dev/egress-config.ts';
import { stateDirVariable } from '../src/dev/leftovers.ts';
import { startStack } from '../src/dev/stack.ts';
import { createEndings } from './endings.ts';
import { inGroups } from './groups.ts';

export type Alone = Awaited<ReturnType<typeof startAlone>>;

const WORKER_READY_MS = 60_000;

export async function startAlone({ webhookUrls = [] }: { webhookUrls?: string[] } = {}) {
  const { atEnd, stop } = createEndings();
  const stateDir = await mkdtemp(join(tmpdir(), 'reelkit-bench-alone-'));
  atEnd(() => rm(stateDir, { recursive: true, force: true }));
  const egress = await ensureStandIn(() => {});
  const stack = await startStack({ stateDir, parts: ['redis', 'livekit'], webhookUrls });
  atEnd(stack.stop);
  const { url, apiKey, apiSecret } = stack.livekit;
  const host = url.replace(/^ws/, 'http');
  const workers: Child[] = [];
  const endWorkers = async () => {
    for (const worker of workers.splice(0)) await killTree(worker.pid);
  };
  atEnd(endWorkers);

  async function startWorker(cores: number): Promise<void> {
    const [health = 0, metrics = 0, template = 0] = await findFreePorts(3, new Set());
    const configFile = await writeEgressConfig(join(stateDir, `egress-${health}.yaml`), {
      livekit: stack.livekit,
      redis: stack.redis,
      extra: { health_port: health, prometheus_port: metrics, template_port: template },
    });
    const env = {
      PATH: pathOf(egress),
      LIVEKIT_CPU_REQUEST: String(cores),
      STANDIN_MEDIA: 'none',
      [stateDirVariable]: stateDir,
    };
    const answers = () => fetch(`http://127.0.0.1:${health}/`).then(({ ok }) => ok);
    const started = { name: 'egress worker', command: egress, args: ['--config', configFile], env, cwd: stateDir };
    const logFile = join(stack.logDir, `egress-${health}.log`);
    workers.push(await startChild({ ...started, logFile, ready: answers, readyTimeoutMs: WORKER_READY_MS }));
  }

  return {
    livekit: stack.livekit,
    redis: stack.redis,
    filesDir: join(stateDir, 'files'),
    sdk: (requestTimeout = 10) => new EgressClient(host, apiKey, apiSecret, { requestTimeout }),
    async createRooms(count: number, prefix: string): Promise<string[]> {
      const rooms = new RoomServiceClient(host, apiKey, apiSecret);
      const names = Array.from({ length: count }, (_, index) => `${prefix}-${index}`);
      await inGroups(names, (name) => rooms.createRoom({ name, emptyTimeout: 7_200 }));
      return names;
    },
    /** Resolves when they are ready. */
    startWorkers: (count: number, cores: number) =>
      Promise.all(Array.from({ length: count }, () => startWorker(cores))),
    endWorkers,
    stop,
  };
}

export async function withAlone<T>(work: (alone: Alone) => Promise<T>): Promise<T> {
  const alone = await startAlone();
  try {
    return await work(alone);
  } finally {
    await alone.stop();
  }
}
