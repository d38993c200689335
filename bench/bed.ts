// The test bed of the benchmark: a local stack, Reelkit as a child process, workers without media, and the SDK beside it.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { AccessToken, EgressClient, RoomServiceClient } from 'livekit-server-sdk';
import { stopAllProcessWorkers } from '../src/capacity/process.ts';
import { ensureStandIn } from '../src/dev/components.ts';
import { createReelkitService, type ReelkitServiceOptions } from '../src/dev/reelkit-service.ts';
import { startStack } from '../src/dev/stack.ts';
import type { RecordingRequestInput } from '../src/recording/request.ts';
import type { RecordingView } from '../src/recording/view.ts';

type ServiceConfig = NonNullable<ReelkitServiceOptions['config']>;

export interface BedOptions {
  fleet: ServiceConfig['fleet'];
  coresPerWorker: number;
  bootDelay?: string;
}

export type Bed = Awaited<ReturnType<typeof startBed>>;

/** Audio only costs one core and needs no publisher without media. */
export function audioOf(room: string): RecordingRequestInput {
  return { source: { type: 'room', room, audioOnly: true }, maxDuration: '2h' };
}

const running = new Set<() => Promise<void>>();

/** For a benchmark that is interrupted: workers are no children of this process and would live on. */
export async function stopBeds(): Promise<void> {
  await Promise.all([...running].map((stop) => stop()));
}

export async function startBed({ fleet, coresPerWorker, bootDelay = '0s' }: BedOptions) {
  const stateDir = await mkdtemp(join(tmpdir(), 'reelkit-bench-'));
  const egress = await ensureStandIn(() => {});
  const stack = await startStack({ stateDir });
  const workersDir = join(stateDir, 'workers');
  const service = await createReelkitService({
    stack,
    egressBin: egress,
    config: {
      logLevel: 'warn',
      api: { requestsPerMinute: 1_000_000 },
      fleet: { busyInterval: '500ms', watchInterval: '30s', ...fleet },
      capacity: { coresPerWorker, bootDelay, env: { STANDIN_MEDIA: 'none' } },
    },
    readyTimeoutMs: 60_000,
  });
  const { url, apiKey, apiSecret } = stack.livekit;
  const host = url.replace(/^ws/, 'http');
  const token = await tokenFor(apiKey, apiSecret);
  const connection = Connection.lazy({ address: stack.temporal.address });
  await service.start();

  const stop = async () => {
    running.delete(stop);
    await service.stop();
    await stopAllProcessWorkers(workersDir);
    await connection.close();
    await stack.stop();
    await rm(stateDir, { recursive: true, force: true });
  };
  running.add(stop);

  async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await fetch(service.url + path, {
      method,
      headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${await response.text()}`);
    return (await response.json()) as T;
  }

  return {
    stack,
    service,
    egressBin: egress,
    egressConfigFile: join(stateDir, 'egress.yaml'),
    stateDir,
    rooms: new RoomServiceClient(host, apiKey, apiSecret),
    /** The SDK as its users have it; the timeout in seconds is its own option. */
    sdk: (requestTimeout = 10) => new EgressClient(host, apiKey, apiSecret, { requestTimeout }),
    temporal: new Client({ connection, namespace: stack.temporal.namespace }),
    record: (request: RecordingRequestInput) => call<RecordingView>('POST', '/v1/recordings', request),
    show: (id: string) => call<RecordingView>('GET', `/v1/recordings/${id}`),
    cancel: (id: string) => call<RecordingView>('POST', `/v1/recordings/${id}/cancel`),
    list: (query: string) => call<{ recordings: unknown[]; nextPageToken?: string }>('GET', `/v1/recordings?${query}`),
    fleet: () => call<{ workers: { state: string; busy: boolean }[] }>('GET', '/v1/fleet'),
    async createRooms(count: number, prefix: string): Promise<string[]> {
      const names = Array.from({ length: count }, (_, index) => `${prefix}-${index}`);
      const rooms = new RoomServiceClient(host, apiKey, apiSecret);
      await Promise.all(names.map((name) => rooms.createRoom({ name, emptyTimeout: 7_200 })));
      return names;
    },
    stop,
  };
}

/** @returns what held, once it holds */
export async function until<T>(
  what: string,
  look: () => Promise<T>,
  holds: (seen: T) => boolean,
  limitMs = 120_000,
): Promise<T> {
  const endMs = Date.now() + limitMs;
  for (;;) {
    const seen = await look();
    if (holds(seen)) return seen;
    if (Date.now() > endMs)
      throw new Error(`waited ${limitMs / 1_000} s for ${what}; last seen: ${JSON.stringify(seen).slice(0, 500)}`);
    await sleep(POLL_MS);
  }
}
const POLL_MS = 150;

export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function tokenFor(apiKey: string, apiSecret: string): Promise<string> {
  const token = new AccessToken(apiKey, apiSecret, { identity: 'bench', ttl: '6h' });
  token.addGrant({ roomRecord: true });
  return token.toJwt();
}
