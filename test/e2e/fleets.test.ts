// Two fleets on one LiveKit: rules by source and by API key send recordings to them, each has its own queue, workers and maximum,
// and none minds the other's egresses.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { DirectFileOutput, EncodedFileOutput } from 'livekit-server-sdk';
import { expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { createRedisTransport } from '../../src/bus/redis.ts';
import { repositoryRoot } from '../../src/dev/components/sources.ts';
import { announce } from '../../src/livekit/installations.ts';
import type { RecordingView } from '../../src/recording/view.ts';
import { LIVEKITS_REDIS } from '../../src/service/doctor/buses.ts';
import type { CheckResult } from '../../src/service/doctor/result.ts';
import { useStack } from '../support/stack.ts';
import { accessToken } from '../support/stack-api.ts';
import { waitFor } from '../support/stack-wait.ts';

const SCHOOL = { apiKey: 'school-app', apiSecret: 'the-secret-of-the-school-app-32-bytes' };

const e2e = useStack({
  api: { keys: [SCHOOL] },
  config: {
    fleets: [
      { name: 'main', maxWorkers: 1 },
      { name: 'small', maxWorkers: 2, headroomCores: 0 },
    ],
    rules: [
      { match: { source: ['track', 'tracks'] }, fleet: 'small', maxDuration: '1h' },
      { match: { apiKey: SCHOOL.apiKey }, fleet: 'small', tenant: 'school' },
    ],
  },
});

const untilWaiting = (id: string) => e2e.api.untilStage(id, 'waiting');

async function startComposite(): Promise<string> {
  const room = await e2e.livekit.createRoom('composite');
  const file = new EncodedFileOutput({ filepath: `${e2e.service.recordingsDir}/${room}.mp4` });
  return (await e2e.livekit.egresses.startRoomCompositeEgress(room, { file })).egressId;
}

async function startTrack(): Promise<string> {
  const room = await e2e.livekit.createRoom('track');
  const output = new DirectFileOutput({ filepath: `${e2e.service.recordingsDir}/${room}.ogg` });
  return (await e2e.livekit.egresses.startTrackEgress(room, output, 'TR_audio')).egressId;
}

async function recordAsSchool(): Promise<RecordingView> {
  const room = await e2e.livekit.createRoom('school');
  const token = await accessToken(SCHOOL, { roomRecord: true });
  const body = { source: { type: 'room', room } };
  return (await e2e.api.post<RecordingView>('/v1/recordings', body, { token })).body;
}

test('a fleet at its maximum keeps nobody of the other waiting, and each recording is where its rule says', async () => {
  const { api } = e2e;
  const first = await startComposite();
  await api.untilStage(first, 'recording');
  const second = await startComposite();
  await untilWaiting(second);

  const track = await startTrack();
  expect(await api.untilStage(track, 'recording')).toMatchObject({
    fleet: 'small',
    request: { maxDuration: 3_600_000 },
  });
  const school = await recordAsSchool();
  expect(school).toMatchObject({ fleet: 'small', request: { tenant: 'school' } });
  await api.untilStage(school.id, 'recording');
  expect(await api.show(second)).toMatchObject({ fleet: 'main', stage: 'waiting', waiting: { for: 'capacity' } });

  const [main, small] = [await api.fleet('main'), await api.fleet('small')];
  const running = ({ workers }: typeof main) => workers.flatMap(({ egressIds }) => egressIds).sort();
  expect(running(main)).toEqual([first]);
  expect(running(small)).toEqual([track, school.id].sort());
  expect([main.recordings.waiting, small.recordings.waiting]).toEqual([1, 0]);
  const listed = async (query: string) => (await api.list(query)).recordings.map(({ id }) => id).sort();
  expect(await listed('?fleet=main')).toEqual([first, second].sort());
  expect(await listed('?tenant=school')).toEqual([school.id]);
  expect(await listed('')).toEqual([first, second, track, school.id].sort());
  expect(await api.metrics()).toContain('reelkit_workers{fleet="main",state="busy"} 1');

  // Its room in the fleet goes to who waits for it.
  await api.cancel(first);
  await api.untilStage(second, 'recording');
  for (const id of [second, track, school.id]) await api.cancel(id);
  for (const id of [first, second, track, school.id]) await api.untilEnded(id);
});

test('a recording of one fleet goes on there when its worker dies, and the other fleet has no part in it', async () => {
  const { api } = e2e;
  const composite = await startComposite();
  const track = await startTrack();
  await Promise.all([composite, track].map((id) => api.untilStage(id, 'recording')));
  const killed = await e2e.killWorkerOf(track);
  const view = await waitFor(
    'a second part of the track that records',
    () => api.show(track),
    ({ stage, parts }) => stage === 'recording' && parts[1]?.startedAtMs !== undefined,
  );
  expect(view).toMatchObject({ fleet: 'small', parts: [{ worker: { id: killed }, end: { status: 'LOST' } }, {}] });
  const smalls = (await api.fleet('small')).workers.map(({ id }) => id);
  expect(smalls).toContain(view.parts[1]?.worker?.id);
  const { decisions } = await api.fleet('main');
  expect(decisions.filter(({ line }) => line.includes(track))).toEqual([]);
  expect(await api.show(composite)).toMatchObject({ stage: 'recording', parts: [{ number: 1 }] });

  for (const id of [composite, track]) {
    await api.cancel(id);
    await api.untilEnded(id);
  }
});

test('doctor looks at both fleets, and names a worker that listens and is of none', async () => {
  const doctor = async (configFile = e2e.service.configFile) => {
    const { stdout } = await execa(join(repositoryRoot, 'bin/reelkit'), ['doctor', '--json', '--config', configFile], {
      env: e2e.stack.env,
      reject: false,
    });
    return new Map((JSON.parse(stdout) as CheckResult[]).map(({ name, ...found }) => [name, found]));
  };
  const id = await startTrack();
  await e2e.api.untilStage(id, 'recording');
  const content = await doctor();
  for (const fleet of ['main', 'small']) {
    expect(content.get(`capacity (process) of fleet ${fleet}`)).toMatchObject({ ok: true });
    expect(content.get(`egress workers of fleet ${fleet}`)).toMatchObject({ ok: true });
    expect(content.get(`starts of fleet ${fleet}`)).toMatchObject({ ok: true });
  }
  expect(content.get('starts of fleet small')?.detail).toMatch(/1 (took a start and refused it|had no room)/);
  expect(content.get('workers of no fleet')).toEqual({ ok: true, detail: 'none' });

  const otherBus = await createRedisTransport(e2e.stack.redis, { name: 'another installation' });
  await announce(otherBus, { id: 'another', namespace: 'staging' });
  expect((await doctor()).get(LIVEKITS_REDIS)).toMatchObject({
    ok: false,
    detail: expect.stringContaining('another installation of Reelkit is on it, with the Temporal namespace "staging"'),
  });
  await otherBus.close();

  const config = parse(await readFile(e2e.service.configFile, 'utf8'));
  const withoutSmall = join(e2e.stack.stateDir, 'without-small.yaml');
  await writeFile(withoutSmall, stringify({ ...config, fleets: [config.fleets[0]], rules: [] }), { mode: 0o600 });
  const topic = (await e2e.api.show(id)).parts[0]?.worker?.topic ?? 'none';
  expect((await doctor(withoutSmall)).get('workers of no fleet')).toMatchObject({
    ok: false,
    detail: expect.stringContaining(`nothing is ever sent to ${topic}: no fleet has a worker with that cluster_id`),
  });

  await e2e.api.cancel(id);
  await e2e.api.untilEnded(id);
  await e2e.untilFleetIsEmpty();
});
