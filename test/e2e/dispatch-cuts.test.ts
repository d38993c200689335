// A start is cut at every point between its publication and the answer that Temporal gets: the message is lost, or the process that
// dispatches is killed there. Twenty starts at once for each, and each becomes one recorder, one record, and a file of its own.
import { readdir, readFile } from 'node:fs/promises';
import { EgressStatus, EncodedFileOutput } from 'livekit-server-sdk';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createReelkitService, type ReelkitService } from '../../src/dev/reelkit-service.ts';
import { parseAttemptEgressId } from '../../src/recording/attempt.ts';
import type { RecordingView } from '../../src/recording/view.ts';
import { type BusCuts, type CutPoint, createBusCuts } from '../support/bus-cuts.ts';
import { type BusProxy, type Fate, startBusProxy } from '../support/bus-proxy.ts';
import { type LivingEgresses, watchLivingEgresses } from '../support/living-egresses.ts';
import { useStack } from '../support/stack.ts';
import { waitFor } from '../support/stack-wait.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { receiveWebhooks } from '../support/webhooks.ts';

const STARTS = 20;
/** What has no grant is stopped within it. */
const SECONDS_MS = 3_000;

const webhooks = await receiveWebhooks();
const fleet = { minWorkers: 2, maxWorkers: 2, costs: { audioRoomComposite: 1 } };
const e2e = useStack({
  fleet,
  // Each has room for all that a point needs.
  capacity: { coresPerWorker: 32 },
  stack: { webhookUrls: [webhooks.url] },
});
let proxy: BusProxy;
let cuts: BusCuts;
let temporal: TcpProxy;
let living: LivingEgresses;
/** The one that dispatches: the workers' Redis and Temporal are behind proxies. */
let service: ReelkitService;

beforeAll(async () => {
  webhooks.trust(e2e.stack.livekit);
  proxy = await startBusProxy(e2e.stack.workersRedis.address);
  cuts = createBusCuts(proxy);
  temporal = await startTcpProxy(Number(e2e.stack.temporal.address.split(':')[1]));
  living = await watchLivingEgresses(e2e.stack.workersRedis);
  await e2e.api.untilFleet(
    'two workers',
    ({ workers }) => workers.filter(({ state }) => state === 'ready').length === 2,
  );
  await e2e.service.stop();
  service = await createReelkitService({
    stack: e2e.stack,
    egressBin: e2e.egressBin,
    name: 'dispatcher',
    config: {
      logLevel: 'debug',
      workers: { redis: { address: proxy.address } },
      fleet: { ...fleet, watchInterval: '2s', busyInterval: '500ms', confirmAfter: '2s' },
      // A worker that did not take what it was sent is replaced by one of this process.
      capacity: { coresPerWorker: 32, env: { STANDIN_MEDIA: 'none' } },
    },
    env: { TEMPORAL_ADDRESS: `127.0.0.1:${temporal.port}` },
    readyTimeoutMs: 90_000,
  });
  await service.start();
});
afterAll(async () => {
  await service?.stop();
  await living?.stop();
  await temporal?.stop();
  await proxy?.stop();
  await webhooks.close();
});

async function startMany(): Promise<string[]> {
  const rooms = await e2e.livekit.createRooms(STARTS, 'cut');
  const started = await Promise.all(
    rooms.map((room) => {
      const file = new EncodedFileOutput({ filepath: `${service.recordingsDir}/${room}.ogg` });
      return e2e.livekit.egresses.startRoomCompositeEgress(room, { file }, { audioOnly: true });
    }),
  );
  return started.map(({ egressId }) => egressId);
}

const lastOf = ({ parts }: RecordingView) => parts.at(-1)?.egressId ?? '';

/** All record in the end, each with one recorder that is the one it believes in. */
async function eachRecordsOnce(ids: string[]): Promise<RecordingView[]> {
  await Promise.all(ids.map((id) => e2e.api.untilStage(id, 'recording', 120_000)));
  const isOf = (egressId: string) => ids.includes(parseAttemptEgressId(egressId)?.recordingId ?? '');
  const { views } = await waitFor(
    'the recorder each believes in, and no other',
    async () => ({ views: await Promise.all(ids.map((id) => e2e.api.show(id))), alive: living.now().filter(isOf) }),
    ({ views, alive }) => alive.length === ids.length && views.every((view) => alive.includes(lastOf(view))),
    SECONDS_MS * 5,
  ).catch((error: unknown) => {
    throw new Error(`alive: ${living.now().filter(isOf).join(' ')}`, { cause: error });
  });
  for (const id of ids) expect(living.overlapMs(id), `two recorders of ${id}`).toBeLessThan(SECONDS_MS);
  return views;
}

/** All are stopped: one record, one beginning, one end, and every file was written by the attempt whose name it bears. */
async function eachCompletes(ids: string[]): Promise<void> {
  await Promise.all(ids.map((id) => e2e.livekit.egresses.stopEgress(id)));
  const views = await Promise.all(ids.map((id) => e2e.api.untilEnded(id)));
  // LiveKit is told of an end a moment after the recording has it.
  await waitFor(
    'one complete record of each in LiveKit',
    async () => (await e2e.livekit.egresses.listEgress()).filter(({ egressId }) => ids.includes(egressId)),
    (records) =>
      records.length === ids.length && records.every(({ status }) => status === EgressStatus.EGRESS_COMPLETE),
    30_000,
  );
  const events = (id: string, kind: string) => webhooks.of(id).filter((event) => event.startsWith(kind));
  await waitFor(
    'each end to be told',
    async () => ids.filter((id) => events(id, 'egress_ended').length === 0),
    ({ length }) => length === 0,
    30_000,
  );
  for (const id of ids) {
    expect(events(id, 'egress_started')).toEqual(['egress_started STARTING']);
    expect(events(id, 'egress_ended')).toEqual(['egress_ended COMPLETE']);
  }
  const names = await readdir(service.recordingsDir);
  for (const { id, request, parts } of views) {
    const room = request.source.type === 'room' ? request.source.room : '';
    const written = names.filter((name) => name.startsWith(`${room}.`) || name.startsWith(`${room}-`));
    const files = written.filter((name) => name.endsWith('.ogg'));
    const last = parts.at(-1)?.egressId ?? id;
    for (const name of files) {
      const attempt = /-(\d+)\.ogg$/.exec(name.slice(room.length))?.[1];
      const text = await readFile(`${service.recordingsDir}/${name}`, 'utf8');
      expect(text.trim().endsWith(attempt === undefined ? id : `${id}_${attempt}`), `${name}: ${text}`).toBe(true);
    }
    expect(files).toContain(last === id ? `${room}.ogg` : `${room}-${last.slice(id.length + 1)}.ogg`);
  }
}

const POINTS: [what: string, point: CutPoint][] = [
  ['the request', { way: 'sent', method: 'StartEgress', kind: 'REQ' }],
  ["the worker's claim", { way: 'received', method: 'StartEgress', kind: 'CLAIM' }],
  ['the grant', { way: 'sent', method: 'StartEgress', kind: 'RCLAIM' }],
  ["the worker's CreateEgress", { way: 'received', method: 'CreateEgress', kind: 'REQ' }],
  ['the answer to CreateEgress', { way: 'sent', method: 'CreateEgress', kind: 'RES' }],
  ["the worker's answer", { way: 'received', method: 'StartEgress', kind: 'RES' }],
];

test.each(POINTS)('%s is lost', async (_, point) => {
  cuts.lose(point);
  const ids = await startMany();
  await waitFor(
    'each to be cut',
    async () => cuts.cut(),
    ({ length }) => length >= STARTS,
    60_000,
  );
  const views = await eachRecordsOnce(ids);
  cuts.heal();
  report(`lost: ${point.way} ${point.method} ${point.kind}`, views);
  await eachCompletes(ids);
});

const KILLS: [what: string, point: CutPoint, fate: Fate, goesOn: boolean][] = POINTS.flatMap(
  ([what, point]): [string, CutPoint, Fate, boolean][] => [
    [`before ${what}`, point, 'lost', point.method === 'StartEgress' && point.kind === 'RES'],
    ...(point.way === 'sent'
      ? [[`after ${what}`, point, 'passes', point.method === 'CreateEgress'] as [string, CutPoint, Fate, boolean]]
      : []),
  ],
);

test.each(KILLS)('the dispatching process is killed %s', async (_, point, fate, goesOn) => {
  const kept = cuts.keep(point);
  const ids = await startMany();
  await kept.until(STARTS);
  await service.kill('SIGKILL');
  kept.release(fate);
  cuts.heal();
  await service.start();
  const views = await eachRecordsOnce(ids);
  report(`killed, message ${fate}: ${point.way} ${point.method} ${point.kind}`, views);
  if (goesOn) for (const { id, parts } of views) expect(parts).toMatchObject([{ egressId: id, attempts: 1 }]);
  await eachCompletes(ids);
});

test('the dispatching process is killed after the answer, before Temporal has it', async () => {
  const kept = cuts.keep({ way: 'received', method: 'StartEgress', kind: 'RES' });
  const ids = await startMany();
  await kept.until(STARTS);
  temporal.freeze(true);
  const startedBefore = await startedSoFar();
  kept.release('passes');
  await waitFor('the answers', startedSoFar, (count) => count >= startedBefore + STARTS, 10_000);
  await service.kill('SIGKILL');
  temporal.freeze(false);
  cuts.heal();
  await service.start();
  const views = await eachRecordsOnce(ids);
  report('killed before Temporal had the answer', views);
  for (const { id, parts } of views) expect(parts).toMatchObject([{ egressId: id, attempts: 1 }]);
  await eachCompletes(ids);
});

async function startedSoFar(): Promise<number> {
  const text = await e2e.api.metrics();
  return Number(/reelkit_start_outcomes_total\{[^}]*outcome="started"[^}]*\} (\d+)/.exec(text)?.[1] ?? 0);
}

function report(what: string, views: RecordingView[]): void {
  const attempts = views.map(({ parts }) => parts.reduce((sum, part) => sum + part.attempts, 0));
  const parts = views.map((view) => view.parts.length);
  const overlap = Math.max(...views.map(({ id }) => living.overlapMs(id)));
  const tookMs = views.map(({ requestedAtMs, startedAtMs = 0 }) => startedAtMs - requestedAtMs);
  const range = (numbers: number[]) => `${Math.min(...numbers)} to ${Math.max(...numbers)}`;
  process.stdout.write(
    `${what}: ${range(attempts)} attempts in ${range(parts)} parts, recording after ${range(tookMs)} ms, two at once for ${overlap} ms at most\n`,
  );
}
