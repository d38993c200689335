// The test bed of the benchmark: a local stack, Reelkit as a child process, workers without media, and the SDK beside it. Workers
// are processes, or pods of a cluster of the bed's own.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { AccessToken, EgressClient, RoomServiceClient } from 'livekit-server-sdk';
import type { FleetView } from '../src/api/schemas.ts';
import { stopAllProcessWorkers } from '../src/capacity/process/provider.ts';
import { ensureStandIn } from '../src/dev/components.ts';
import { createReelkitService, type ReelkitServiceOptions } from '../src/dev/reelkit-service.ts';
import { startStack } from '../src/dev/stack.ts';
import type { RecordingRequestInput } from '../src/recording/request.ts';
import type { RecordingView } from '../src/recording/view.ts';
import { clientDataConverter } from '../src/temporal/converter.ts';
import { loadKeyring } from '../src/temporal/keys.ts';
import { type AccountOptions, NOBODY, startAccount } from '../test/support/stack-account.ts';
import { type ClusterOptions, startCluster } from '../test/support/stack-cluster.ts';
import { createEndings, type Endings } from './endings.ts';
import { inGroups } from './groups.ts';

type ServiceConfig = NonNullable<ReelkitServiceOptions['config']>;

export interface BedOptions {
  fleet: ServiceConfig['fleet'];
  /** Also told of LiveKit's webhooks. */
  webhookUrls?: string[];
  /** Workers record for real, onto a disk that Reelkit sees. */
  media?: boolean;
  /** What the workers are. */
  capacity: { coresPerWorker: number; bootDelay?: string } | { cluster: ClusterOptions } | { account: AccountOptions };
}

export type Bed = Awaited<ReturnType<typeof startBed>>;

/** Audio only costs one core and needs no publisher without media. */
export function audioOf(room: string): RecordingRequestInput {
  return { source: { type: 'room', room, audioOnly: true }, maxDuration: '2h' };
}

const WITHOUT_MEDIA = { STANDIN_MEDIA: 'none' };

export async function startBed(options: BedOptions) {
  const endings = createEndings();
  try {
    return await layOut(options, endings);
  } catch (error) {
    await endings.stop();
    throw error;
  }
}

async function layOut({ fleet, capacity, media = false, webhookUrls = [] }: BedOptions, { atEnd, stop }: Endings) {
  const stateDir = await mkdtemp(join(tmpdir(), 'reelkit-bench-'));
  atEnd(() => rm(stateDir, { recursive: true, force: true }));
  const egress = await ensureStandIn(() => {});
  const stack = await startStack({ stateDir, webhookUrls });
  atEnd(stack.stop);
  const connection = Connection.lazy({ address: stack.temporal.address });
  atEnd(() => connection.close());
  const cluster =
    'cluster' in capacity
      ? await startCluster(stack, egress, { workerEnv: WITHOUT_MEDIA, ...capacity.cluster })
      : undefined;
  atEnd(() => cluster?.stop() ?? stopAllProcessWorkers(join(stateDir, 'workers')));
  const account = 'account' in capacity ? await startAccount(stack, egress, capacity.account) : undefined;
  atEnd(async () => account?.stop());
  const service = await createReelkitService({
    stack,
    egressBin: egress,
    config: {
      logLevel: 'warn',
      api: { requestsPerMinute: 1_000_000 },
      fleet: { busyInterval: '500ms', watchInterval: '30s', ...fleet },
      capacity: cluster?.capacity ?? account?.capacity ?? { ...capacity, ...(media ? {} : { env: WITHOUT_MEDIA }) },
      ...(media ? { storages: { disk: { type: 'local', path: join(stateDir, 'kept'), shared: true } } } : {}),
    },
    env: account ? NOBODY : {},
    readyTimeoutMs: 180_000,
  });
  atEnd(() => service.stop());
  await service.start();
  const { url, apiKey, apiSecret } = stack.livekit;
  const host = url.replace(/^ws/, 'http');
  const token = await tokenFor(apiKey, apiSecret);

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
    stateDir,
    filesDir: service.recordingsDir,
    rooms: new RoomServiceClient(host, apiKey, apiSecret),
    /** The SDK as its users have it; the timeout in seconds is its own option. */
    sdk: (requestTimeout = 10) => new EgressClient(host, apiKey, apiSecret, { requestTimeout }),
    temporal: new Client({
      connection,
      namespace: stack.temporal.namespace,
      dataConverter: clientDataConverter(loadKeyring({ keyFile: service.keyFile }).keys),
    }),
    record: (request: RecordingRequestInput) => call<RecordingView>('POST', '/v1/recordings', request),
    show: (id: string) => call<RecordingView>('GET', `/v1/recordings/${id}`),
    drain: (worker: string) => call<object>('POST', `/v1/fleets/default/workers/${worker}/drain`),
    cancel: (id: string) => call<RecordingView>('POST', `/v1/recordings/${id}/cancel`),
    list: (query: string) => call<{ recordings: unknown[]; nextPageToken?: string }>('GET', `/v1/recordings?${query}`),
    residentBytes: async () => {
      const status = await readFile(`/proc/${service.pid()}/status`, 'utf8');
      return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1_024;
    },
    /** Milliseconds of CPU that the service has used since it began. */
    spent: async () => {
      const fields = (await readFile(`/proc/${service.pid()}/stat`, 'utf8')).split(') ')[1]?.split(' ') ?? [];
      return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
    },
    /** What Temporal's frontend has answered since it began. */
    async temporalRequests() {
      const text = await (await fetch(stack.temporal.metricsUrl)).text();
      const counts = text.match(/^service_requests\{[^}]*service_name="frontend"[^}]*\} \d+/gm) ?? [];
      return counts.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
    },
    fleet: () => call<FleetView>('GET', '/v1/fleets/default'),
    async createRooms(count: number, prefix: string): Promise<string[]> {
      const names = Array.from({ length: count }, (_, index) => `${prefix}-${index}`);
      const rooms = new RoomServiceClient(host, apiKey, apiSecret);
      await inGroups(names, (name) => rooms.createRoom({ name, emptyTimeout: 7_200 }));
      return names;
    },
    get account() {
      if (!account) throw new Error('the workers of this bed are in no account');
      return account;
    },
    get cluster() {
      if (!cluster) throw new Error('the workers of this bed are processes');
      return cluster;
    },
    stop,
  };
}

/** Of the kernel's clock, in which a process is charged. */
const TICK_MS = 10;

/** @returns what held, once it holds */
export async function until<T>(
  what: string,
  look: () => Promise<T>,
  holds: (seen: T) => boolean,
  limitMs = 120_000,
  pollMs = POLL_MS,
): Promise<T> {
  const endMs = Date.now() + limitMs;
  for (;;) {
    const seen = await look();
    if (holds(seen)) return seen;
    if (Date.now() > endMs)
      throw new Error(`waited ${limitMs / 1_000} s for ${what}; last seen: ${JSON.stringify(seen).slice(0, 500)}`);
    await sleep(pollMs);
  }
}
const POLL_MS = 150;

function tokenFor(apiKey: string, apiSecret: string): Promise<string> {
  const token = new AccessToken(apiKey, apiSecret, { identity: 'bench', ttl: '6h' });
  token.addGrant({ roomRecord: true });
  return token.toJwt();
}
