// LiveKit's UpdateLayout on a recording in several parts: each begins with the layout of now, and can be changed under the same id.
import { mkdir } from 'node:fs/promises';
import { EgressStatus, EncodedFileOutput } from 'livekit-server-sdk';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createRedisTransport } from '../../src/bus/redis.ts';
import { requestChannel } from '../../src/bus/topics.ts';
import type { BusTransport } from '../../src/bus/transport.ts';
import { decodeRequest } from '../../src/bus/wire.ts';
import { type Speaker, startSpeaker } from '../../src/dev/speakers.ts';
import { decodeStart } from '../../src/livekit/request/index.ts';
import { useStack } from '../support/stack.ts';
import { ACTIVE } from '../support/stack-livekit.ts';
import { waitFor } from '../support/stack-wait.ts';

/** A worker that ends its first recording early, as one whose CPU is exhausted. */
const TIRED = JSON.stringify([{ room: '^tired', step: 'active', action: 'end', after: '6s', times: 1 }]);
const costs = { roomComposite: 1 };
const e2e = useStack({ media: true, fleet: { maxWorkers: 3, costs }, workerEnv: { STANDIN_FAULTS: TIRED } });

/** What workers were asked, by the egress id of the attempt. */
const asked = new Map<string, string>();
const speakers: Speaker[] = [];
let bus: BusTransport;

beforeAll(async () => {
  await mkdir(e2e.stack.logDir, { recursive: true });
  bus = await createRedisTransport(e2e.stack.workersRedis, { name: 'workers' });
  await bus.psubscribe(requestChannel({ service: 'EgressInternal', method: 'StartEgress', topic: '*' }), (message) => {
    const { egressId, request } = decodeStart(decodeRequest(message)?.request ?? new Uint8Array());
    if (request.case === 'roomComposite') asked.set(egressId, request.value.layout);
  });
});

afterAll(async () => {
  await Promise.all(speakers.map((speaker) => speaker.stop()));
  await bus?.close();
});

async function record(room: string): Promise<string> {
  const { livekit, logDir } = e2e.stack;
  const place = { livekit, room, identity: 'ada', toneHz: 440, logFile: `${logDir}/speakers.log` };
  speakers.push(await startSpeaker(place));
  const file = new EncodedFileOutput({ filepath: `${e2e.service.recordingsDir}/${room}.mp4` });
  const { egressId } = await e2e.livekit.egresses.startRoomCompositeEgress(room, { file }, { layout: 'speaker' });
  await untilPart(egressId, 1);
  return egressId;
}

const untilPart = (id: string, number: number) =>
  waitFor(
    `part ${number} of ${id} to record`,
    () => e2e.api.show(id),
    ({ stage, parts }) => stage === 'recording' && parts[number - 1]?.startedAtMs !== undefined,
    90_000,
  );

async function setLayout(id: string, room: string, layout: string) {
  await e2e.livekit.untilStatus(id, ACTIVE);
  const info = await e2e.livekit.egresses.updateLayout(id, layout);
  expect(info).toMatchObject({ egressId: id, status: EgressStatus.EGRESS_ACTIVE });
  const recorder = (await e2e.livekit.rooms.listParticipants(room)).find(({ identity }) => identity === id);
  expect(recorder?.metadata).toBe(JSON.stringify({ layout }));
}

test('the next part of a killed worker begins with the layout of now, and takes another; also one that nobody heard', async () => {
  const room = 'laid-out';
  const id = await record(room);
  expect(asked.get(id)).toBe('speaker');
  await setLayout(id, room, 'grid');
  await e2e.killWorkerOf(id);
  await untilPart(id, 2);
  expect(asked.get(`${id}_1`)).toBe('grid');

  // Under the same name in the room, and while no Reelkit is there to hear it.
  await e2e.service.kill('SIGKILL');
  await setLayout(id, room, 'single-speaker');
  await e2e.service.start();
  await e2e.killWorkerOf(`${id}_1`);
  await untilPart(id, 3);
  expect(asked.get(`${id}_2`)).toBe('single-speaker');
  await e2e.livekit.egresses.stopEgress(id);
  expect(await e2e.api.untilEnded(id)).toMatchObject({ stage: 'completed' });
});

test('the next part of one that its worker ended begins with the layout of now, under the same name in the room', async () => {
  const room = 'tired';
  const id = await record(room);
  await setLayout(id, room, 'grid');
  await untilPart(id, 2);
  expect(asked.get(`${id}_1`)).toBe('grid');
  await setLayout(id, room, 'single-speaker');
  await e2e.livekit.egresses.stopEgress(id);
  const ended = await e2e.api.untilEnded(id);
  expect(ended).toMatchObject({ stage: 'completed' });
  expect(ended.parts.map(({ files }) => files.length)).toEqual([1, 1]);
});
