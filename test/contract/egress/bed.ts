// What the cases of the worker contract stand on: Redis, LiveKit, a speaker's room, a receiver of webhooks, and egress workers
// started one at a time, so that every request reaches the one that is looked at.
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EgressInfo } from '@livekit/protocol';
import { WebhookReceiver } from 'livekit-server-sdk';
import { findFreePorts } from '../../../src/capacity/process/ports.ts';
import { pathOf } from '../../../src/capacity/process/provider.ts';
import { killTree } from '../../../src/capacity/process/table.ts';
import { type Child, startChild } from '../../../src/dev/child.ts';
import { ensureComponents } from '../../../src/dev/components.ts';
import { writeEgressConfig } from '../../../src/dev/egress-config.ts';
import { stateDirVariable } from '../../../src/dev/leftovers.ts';
import { type Speaker, startSpeaker } from '../../../src/dev/speakers.ts';
import { startStack } from '../../../src/dev/stack.ts';
import { createLiveKit } from '../../support/stack-livekit.ts';
import { nameLogs, waitFor } from '../../support/stack-wait.ts';
import { twirpStart } from './twirp-start.ts';

/** Cores the worker believes it has, and what it charges: two participants fit beside each other, a third does not. */
export const CORES = 4;
const COSTS = { participant: 1.5, trackComposite: 1, track: 0.5, roomComposite: 4 };
const WORKER_READY_MS = 30_000;

export interface Hook {
  /** With its query, as it was called. */
  url: string;
  event: string;
  info: EgressInfo;
}

export interface EgressWorker {
  /** How the process ended: `exit status 0`. */
  readonly ended: Promise<string>;
  health(path?: string): Promise<Record<string, unknown>>;
  /** The value of a series: `name`, or `name{label="value"}` with one of its labels. */
  metric(series: string): Promise<number | undefined>;
  signal(signal: NodeJS.Signals): void;
  kill(): Promise<void>;
}

export type Bed = Awaited<ReturnType<typeof makeBed>>;

export async function makeBed(command: string) {
  const stateDir = await mkdtemp(join(tmpdir(), 'reelkit-egress-'));
  nameLogs(join(stateDir, 'logs'));
  const { ffprobe } = await ensureComponents(['ffprobe'], () => {});
  const stack = await startStack({ stateDir, parts: ['redis', 'livekit'] });
  const { livekit } = stack;
  const { egresses, rooms } = createLiveKit(livekit);
  const hooks = await receiveHooks(stack.api.port, livekit);
  const files = join(stateDir, 'files');
  await mkdir(files);
  const speakers: Speaker[] = [];
  const workers: Child[] = [];
  let made = 0;

  const infoOf = async (egressId: string): Promise<EgressInfo> => {
    const [info] = await egresses.listEgress({ egressId });
    if (!info) throw new Error(`LiveKit lists no ${egressId}`);
    return info;
  };
  return {
    livekit,
    egresses,
    rooms,
    start: twirpStart(livekit),
    hooks,
    ffprobe,
    infoOf,
    hookUrl: (query: string) => `${stack.api.url}/of-request?${query}`,
    /** @returns a path for the request, with the worker's own template in it */
    fileFor(ending = 'mp4'): string {
      made += 1;
      return join(files, `{room_name}-${made}.${ending}`);
    },
    until: (egressId: string, status: number, limitMs = 60_000) =>
      waitFor(
        `${egressId} to have status ${status}`,
        () => infoOf(egressId),
        (info) => info.status === status,
        limitMs,
      ),
    async speak(room: string, identity = 'ada'): Promise<Speaker> {
      const speaker = await startSpeaker({
        livekit,
        room,
        identity,
        toneHz: 440,
        logFile: join(stack.logDir, 'speakers.log'),
      });
      speakers.push(speaker);
      return speaker;
    },
    async startWorker(extra: Record<string, unknown> = {}): Promise<EgressWorker> {
      const [health = 0, metrics = 0, template = 0] = await findFreePorts(3, new Set());
      const configFile = await writeEgressConfig(join(stateDir, `egress-${health}.yaml`), {
        livekit,
        redis: stack.redis,
        costs: COSTS,
        extra: { health_port: health, prometheus_port: metrics, template_port: template, ...extra },
      });
      const readHealth = async (path = '/') => {
        const response = await fetch(`http://127.0.0.1:${health}${path}`);
        return (await response.json()) as Record<string, unknown>;
      };
      const child = await startChild({
        name: 'egress worker',
        command,
        args: ['--config', configFile],
        env: { PATH: pathOf(command), LIVEKIT_CPU_REQUEST: String(CORES), [stateDirVariable]: stateDir },
        cwd: stateDir,
        logFile: join(stack.logDir, `egress-${health}.log`),
        ready: () => readHealth().then(() => true),
        readyTimeoutMs: WORKER_READY_MS,
      });
      workers.push(child);
      return {
        ended: child.ended,
        health: readHealth,
        async metric(series) {
          const [, name = series, label = ''] = /^(\w+)\{(.*)\}$/.exec(series) ?? [];
          const text = await (await fetch(`http://127.0.0.1:${metrics}/metrics`)).text();
          const line = text.split('\n').find((one) => one.startsWith(`${name}{`) && one.includes(label));
          return line === undefined ? undefined : Number(line.split(' ').at(-1));
        },
        signal: (signal) => void process.kill(child.pid, signal),
        async kill() {
          await killTree(child.pid);
          await child.ended;
        },
      };
    },
    async end() {
      await Promise.all(speakers.map((speaker) => speaker.stop()));
      for (const worker of workers) if (worker.isRunning()) await killTree(worker.pid);
      await stack.stop();
      await hooks.close();
      await rm(stateDir, { recursive: true, force: true });
    },
  };
}

async function receiveHooks(port: number, { apiKey, apiSecret }: { apiKey: string; apiSecret: string }) {
  const receiver = new WebhookReceiver(apiKey, apiSecret);
  const received: Hook[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { event, egressInfo } = await receiver.receive(
      Buffer.concat(chunks).toString(),
      request.headers.authorization,
    );
    if (egressInfo) received.push({ url: request.url ?? '', event, info: egressInfo });
    response.end();
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    of: (egressId: string) => received.filter(({ info }) => info.egressId === egressId),
    close: () => new Promise((resolve) => server.close(resolve).closeAllConnections()),
  };
}
