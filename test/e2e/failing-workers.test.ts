// One worker of a broken image beside good ones: each recording on it fails as soon as it begins, or never begins. Whoever asked through
// LiveKit's SDK gets a file nevertheless, and the worker is set aside until somebody forgives it.
import { chmod, mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EncodedFileOutput, EncodedFileType } from 'livekit-server-sdk';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Speaker, startSpeaker } from '../../src/dev/speakers.ts';
import type { RecordingView } from '../../src/recording/view.ts';
import { type ServiceOptions, useStack } from '../support/stack.ts';
import { ACTIVE, COMPLETE } from '../support/stack-livekit.ts';
import { waitFor } from '../support/stack-wait.ts';

const CAPACITY = { coresPerWorker: 1 };
const options: ServiceOptions = {
  media: true,
  fleet: { minWorkers: 1, maxWorkers: 3, cooldown: '10m', costs: { trackComposite: 1 } },
  capacity: CAPACITY,
};
const e2e = useStack({ ...options, fleet: { ...options.fleet, minWorkers: 0 } });
const FAULTS = [
  { room: '^hangs$', step: 'start', action: 'hang' },
  { room: '^fails$', step: 'start', action: 'fail', code: 503, message: 'no display' },
];
/** As long as a browser may need, then two looks; or four parts where they fail, the last ones a minute and two apart. */
const LIMIT_MS = 300_000;
const speakers: Speaker[] = [];
let brokenId: string | undefined;

beforeAll(async () => {
  const { stack } = e2e;
  await mkdir(stack.logDir, { recursive: true });
  const bin = join(stack.stateDir, 'worker-of-a-broken-image');
  // The first that is launched is broken, and no other.
  await writeFile(
    bin,
    `#!/bin/sh
mkdir "$0.was-launched" 2>/dev/null && export STANDIN_FAULTS='${JSON.stringify(FAULTS)}'
exec '${e2e.egressBin}' "$@"
`,
  );
  await chmod(bin, 0o755);
  await e2e.restartService({ ...options, capacity: { ...CAPACITY, bin } });
});
afterAll(() => Promise.all(speakers.map((speaker) => speaker.stop())));

async function start(room: string): Promise<string> {
  const { stack, livekit, service } = e2e;
  const speaker = await startSpeaker({
    livekit: stack.livekit,
    room,
    identity: `ada-${speakers.length}`,
    toneHz: 440,
    logFile: `${stack.logDir}/${room}.log`,
  });
  speakers.push(speaker);
  const file = new EncodedFileOutput({
    fileType: EncodedFileType.OGG,
    filepath: join(service.recordingsDir, `${room}-${speakers.length}.ogg`),
  });
  const tracks = { audioTrackId: speaker.audioTrackId };
  return (await livekit.egresses.startTrackCompositeEgress(room, file, tracks)).egressId;
}

const untilParts = (id: string, what: string, holds: (view: RecordingView) => boolean) =>
  waitFor(`${what}: ${id}`, () => e2e.api.show(id), holds, LIMIT_MS);

/** LiveKit lists one egress that ended well; its file is there. */
async function finish(id: string): Promise<void> {
  await e2e.livekit.untilStatus(id, ACTIVE);
  await e2e.livekit.egresses.stopEgress(id);
  const { stage, parts } = await e2e.api.untilEnded(id);
  expect(stage).toBe('completed');
  await e2e.livekit.untilStatus(id, COMPLETE);
  expect(await e2e.livekit.egresses.listEgress({ egressId: id })).toMatchObject([{ error: '' }]);
  const files = parts.flatMap((part) => part.files);
  expect(files.length).toBeGreaterThan(0);
  for (const { location, sizeBytes } of files) expect((await stat(location)).size).toBe(sizeBytes);
}

const broken = async () => (await e2e.api.fleet()).workers.find(({ id }) => id === brokenId);

test('what never begins there is stopped and recorded elsewhere', async () => {
  const { workers } = await e2e.api.untilFleet('a worker', (fleet) =>
    fleet.workers.some(({ state }) => state === 'ready'),
  );
  brokenId = workers[0]?.id;
  const id = await start('hangs');
  const { parts } = await untilParts(id, 'the next part', ({ parts: [, next] }) => next?.startedAtMs !== undefined);
  expect(parts).toMatchObject([{ worker: { id: brokenId }, end: { status: 'HUNG' }, files: [] }, { number: 2 }]);
  expect(parts[1]?.worker?.id).not.toBe(brokenId);
  expect((await broken())?.reason).toMatch(/never began to record: it is set aside/);
  await finish(id);
});

test('what fails there goes on elsewhere, and others are tried before it', async () => {
  const { api } = e2e;
  const { status } = await api.post(`/v1/fleets/default/workers/${brokenId}/forgive`);
  expect(status).toBe(200);
  // Whoever works has room for one: one of the two begins on the broken worker.
  const ids = [await start('fails'), await start('fails')];
  for (const id of ids) await untilParts(id, 'it records', ({ stage }) => stage === 'recording');
  const parts = (await Promise.all(ids.map((id) => api.show(id)))).flatMap((view) => view.parts);
  const [failed, recording] = [true, false].map((hasEnded) =>
    parts.filter(({ end }) => (end !== undefined) === hasEnded),
  );
  expect(new Set(failed?.map(({ worker }) => worker?.id))).toEqual(new Set([brokenId]));
  expect(recording?.map(({ worker }) => worker?.id)).not.toContain(brokenId);
  for (const id of ids) await finish(id);
});
