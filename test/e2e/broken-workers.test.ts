// Workers that break in the middle of it: killed, or frozen and awake again when nobody counts on them any more. Real media, and the
// real worker where REELKIT_EGRESS_BIN names it.
import { mkdir, stat } from 'node:fs/promises';
import { EncodedFileOutput, EncodedFileType } from 'livekit-server-sdk';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createRedisTransport } from '../../src/bus/redis.ts';
import { ANY_TOPIC, grantChannel } from '../../src/bus/topics.ts';
import { descendantsOf } from '../../src/capacity/process/table.ts';
import { type Speaker, startSpeaker } from '../../src/dev/speakers.ts';
import type { RecordingView } from '../../src/recording/view.ts';
import { useStack } from '../support/stack.ts';
import { ACTIVE } from '../support/stack-livekit.ts';
import { holdsFor, waitFor } from '../support/stack-wait.ts';
import { receiveWebhooks } from '../support/webhooks.ts';

const webhooks = await receiveWebhooks();
const e2e = useStack({
  media: true,
  realWorker: true,
  fleet: { minWorkers: 2, maxWorkers: 6, cooldown: '10m', costs: { trackComposite: 1 } },
  capacity: { coresPerWorker: 2 },
  stack: { webhookUrls: [webhooks.url] },
});
const ROOM = 'studio';
const RECORDER = 2;
let ada: Speaker;
let made = 0;

beforeAll(async () => {
  const { stack } = e2e;
  webhooks.trust(stack.livekit);
  await mkdir(stack.logDir, { recursive: true });
  const logFile = `${stack.logDir}/speakers.log`;
  ada = await startSpeaker({ livekit: stack.livekit, room: ROOM, identity: 'ada', toneHz: 440, logFile });
});

afterAll(async () => {
  await ada?.stop();
  await webhooks.close();
});

async function start(): Promise<string> {
  await e2e.api.untilFleet('two workers are ready', (fleet) => fleet.workers.filter(isReady).length >= 2);
  made += 1;
  const file = new EncodedFileOutput({
    fileType: EncodedFileType.OGG,
    filepath: `${e2e.service.recordingsDir}/broken-${made}.ogg`,
  });
  const tracks = { audioTrackId: ada.audioTrackId };
  return (await e2e.livekit.egresses.startTrackCompositeEgress(ROOM, file, tracks)).egressId;
}

const isReady = ({ state, egressIds }: { state: string; egressIds: string[] }) =>
  state === 'ready' && egressIds.length === 0;
const recorders = async () => {
  const all = await e2e.livekit.rooms.listParticipants(ROOM);
  return all.filter(({ kind }) => kind === RECORDER).map(({ identity }) => identity);
};
const untilPart = (id: string, number: number) =>
  waitFor(
    `part ${number} of ${id}`,
    () => e2e.api.show(id),
    ({ parts, stage }) => stage === 'recording' && parts[number - 1]?.startedAtMs !== undefined,
  );
/** What has no grant is gone from the room within seconds, and does not come back. */
async function untilAlone(...names: string[]): Promise<void> {
  const isAlone = (all: string[]) => all.length === 1 && all.every((one) => names.includes(one));
  await waitFor(`${names.join(' or ')} alone`, recorders, isAlone, 5_000);
  await holdsFor(`${names.join(' or ')} alone`, 3_000, recorders, isAlone);
}

const signalAll = (pids: readonly number[], signal: NodeJS.Signals) => {
  for (const pid of pids) process.kill(pid, signal);
};
const treeOf = async (pid: number) => [pid, ...(await descendantsOf(pid))];

/** Its files are there, each of its own name; LiveKit's one record ended once. */
async function finish(id: string): Promise<RecordingView> {
  await e2e.livekit.egresses.stopEgress(id);
  const view = await e2e.api.untilEnded(id);
  expect(view).toMatchObject({ stage: 'completed', reason: { code: 'stopped' } });
  const files = view.parts.flatMap(({ files }) => files);
  expect(new Set(files.map(({ location }) => location)).size).toBe(files.length);
  for (const { location, sizeBytes } of files) expect((await stat(location)).size).toBe(sizeBytes);
  const told = await waitFor(
    'its last webhook',
    async () => webhooks.of(id),
    (events) => events.at(-1) === 'egress_ended COMPLETE',
  );
  for (const event of ['egress_started', 'egress_ended'])
    expect(told.filter((one) => one.startsWith(event))).toHaveLength(1);
  await waitFor('the room to have no recorder', recorders, (all) => all.length === 0);
  return view;
}

test('the part after a killed worker has the name of the one before it in the room, so that its layout can be changed', async () => {
  const { livekit } = e2e;
  const id = await start();
  await untilPart(id, 1);
  await livekit.egresses.updateLayout(id, 'grid');
  await e2e.killWorkerOf(id);
  await untilPart(id, 2);
  await livekit.untilStatus(id, ACTIVE);
  await livekit.egresses.updateLayout(id, 'speaker');
  const [recorder] = (await livekit.rooms.listParticipants(ROOM)).filter(({ kind }) => kind === RECORDER);
  expect(recorder).toMatchObject({ identity: id, metadata: expect.stringContaining('speaker') });
  await finish(id);
});

test('a worker that freezes is replaced, and when it wakes up it disturbs nobody and is stopped', async () => {
  const { livekit } = e2e;
  const id = await start();
  await untilPart(id, 1);
  const frozen = await treeOf((await e2e.workerOf(id)).pid);
  signalAll(frozen, 'SIGSTOP');
  const { parts } = await untilPart(id, 2);
  expect(parts).toMatchObject([{ egressId: id, end: { status: 'LOST' } }, { egressId: `${id}_1` }]);
  signalAll(frozen, 'SIGCONT');
  await waitFor(
    'the first part to be ended by its worker',
    () => e2e.api.show(id),
    (view) => view.parts[0]?.end?.status !== 'LOST',
    20_000,
  );
  await untilAlone(`${id}_1`);
  await livekit.untilStatus(id, ACTIVE);
  const view = await finish(id);
  expect(view.parts.map(({ files }) => files.length)).toEqual([1, 1]);
});

test('a start that a frozen worker was granted is given up, and should it come late it is gone within seconds', async () => {
  const bus = await createRedisTransport(e2e.stack.workersRedis, { name: 'watcher' });
  const pids = async () => (await e2e.workers()).map(({ pid }) => pid);
  const grants = grantChannel({ service: 'EgressInternal', method: 'StartEgress', topic: ANY_TOPIC });
  await e2e.api.untilFleet('two workers are ready', (fleet) => fleet.workers.filter(isReady).length >= 2);
  const all = await pids();
  let froze = false;
  await bus.psubscribe(grants, () => {
    if (!froze) signalAll(all, 'SIGSTOP');
    froze = true;
  });
  const id = await start();
  await waitFor(
    'the attempt to be given up',
    () => e2e.api.show(id),
    ({ parts }) => parts[0]?.attempts === 1,
  );
  expect(froze).toBe(true);
  signalAll(all, 'SIGCONT');
  const { parts } = await waitFor(
    'the next attempt',
    () => e2e.api.show(id),
    ({ stage }) => stage === 'recording',
  );
  expect(parts).toMatchObject([{ number: 1, attempts: 2, egressId: `${id}_1` }]);
  // Whoever is known to be dead holds the name no more.
  await untilAlone(id, `${id}_1`);
  const view = await finish(id);
  expect(view.parts.map(({ files }) => files.length)).toEqual([1]);
  await bus.close();
});
