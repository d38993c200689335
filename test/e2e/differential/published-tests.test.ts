// LiveKit's own smoke tests for egress, as they are published with its SDK for Go: against LiveKit with a plain worker, and against
// LiveKit with Reelkit. They ask that every call succeeds; what the calls did is looked at here.

import { StreamInfo_Status } from '@livekit/protocol';
import { execa } from 'execa';
import { EgressStatus, StreamOutput, StreamProtocol } from 'livekit-server-sdk';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Speaker, startSpeaker } from '../../../src/dev/speakers.ts';
import { useStack } from '../../support/stack.ts';
import { createLiveKit, type LiveKit } from '../../support/stack-livekit.ts';
import { waitFor } from '../../support/stack-wait.ts';
import { buildPublishedGoTests } from '../../support/tools.ts';
import { NAMING_METHODS, type NamingMethod, nameLivingIds } from './living-ids.ts';
import { startPlainLiveKit } from './plain-livekit.ts';
import type { LiveKitAddress } from './sdk.ts';

/** Theirs. */
const API_SECRET = 'secret';
const ROOM = 'test-room';
const OLD_URL = 'rtmps://a.example.com/live/key-old';
const STARTS = ['Unified', 'RoomComposite', 'Web', 'Participant', 'TrackComposite', 'Track'];

const CORES = 100;
const egress = { cpu_cost: { max_pulse_clients: 1_000 } };
const e2e = useStack({
  fleet: { maxWorkers: 1 },
  capacity: { coresPerWorker: CORES },
  egress,
  stack: { apiSecret: API_SECRET },
});
let plain: Awaited<ReturnType<typeof startPlainLiveKit>>;
let tests: string;
const speakers: Speaker[] = [];

beforeAll(async () => {
  tests = await buildPublishedGoTests('sdk-go', 'github.com/livekit/server-sdk-go/v2');
  plain = await startPlainLiveKit({ apiSecret: API_SECRET, cores: CORES, egress, workerEnv: {} });
});
afterAll(async () => {
  await Promise.all(speakers.map((speaker) => speaker.stop()));
  await plain?.end();
});

const untilStatus = (livekit: LiveKit, ids: readonly string[], status: EgressStatus) =>
  waitFor(
    `${ids.join(', ')} to be ${EgressStatus[status]}`,
    () => livekit.egresses.listEgress(),
    (all) => ids.every((id) => all.some((info) => info.egressId === id && info.status === status)),
    30_000,
  );

/** Streams, one for each call that names an egress; the one whose layout is changed has a participant of its name, as a recorder is. */
async function startNamed(address: LiveKitAddress, livekit: LiveKit): Promise<Record<NamingMethod, string>> {
  await livekit.rooms.createRoom({ name: ROOM, emptyTimeout: 3_600 });
  const stream = new StreamOutput({ protocol: StreamProtocol.RTMP, urls: [OLD_URL] });
  const started = await Promise.all(
    NAMING_METHODS.map(async (method) => {
      const { egressId } = await livekit.egresses.startRoomCompositeEgress(ROOM, { stream });
      return [method, egressId] as const;
    }),
  );
  const ids = Object.fromEntries(started) as Record<NamingMethod, string>;
  await untilStatus(livekit, Object.values(ids), EgressStatus.EGRESS_ACTIVE);
  const small = { toneHz: 440, width: 64, height: 36, fps: 2, logFile: `${e2e.stack.logDir}/speakers.log` };
  speakers.push(await startSpeaker({ livekit: address, room: ROOM, identity: ids.UpdateLayout, ...small }));
  return ids;
}

/** @returns what they say of each test */
async function runPublished(url: string): Promise<string[]> {
  const { stdout } = await execa(tests, ['-test.run', '^TestAPI_Egress', '-test.v', '-test.count=1'], {
    env: { LK_TEST_SERVER_URL: url },
    reject: false,
  });
  return [...stdout.matchAll(/^\s*--- (PASS|FAIL|SKIP): (\S+)/gm)].map(([, result, name]) => `${name} ${result}`);
}

const SIDES = {
  'a plain worker': () => plain.livekit,
  Reelkit: () => e2e.stack.livekit,
};

describe.each(Object.entries(SIDES))('with %s behind LiveKit', (side, addressOf) => {
  test('the published smoke tests pass, and every call did what it says', async () => {
    const livekit = createLiveKit(addressOf());
    const ids = await startNamed(addressOf(), livekit);
    const proxy = await nameLivingIds(addressOf().url, ids);
    const results = await runPublished(proxy.url).finally(() => proxy.close());
    const smoke = (name: string, parts: readonly string[]) => [name, ...parts.map((part) => `${name}/${part}`)];
    const wanted = [...smoke('TestAPI_EgressSmoke', NAMING_METHODS), ...smoke('TestAPI_EgressStartSmoke', STARTS)];
    expect(results.sort()).toEqual(wanted.map((name) => `${name} PASS`).sort());

    const named = Object.values(ids);
    const started = (await livekit.list()).map(({ egressId }) => egressId).filter((id) => !named.includes(id));
    expect(started).toHaveLength(STARTS.length);
    await untilStatus(livekit, started, EgressStatus.EGRESS_ACTIVE);
    await untilStatus(livekit, [ids.StopEgress], EgressStatus.EGRESS_COMPLETE);
    const recorder = await livekit.rooms.getParticipant(ROOM, ids.UpdateLayout);
    expect(JSON.parse(recorder.metadata)).toEqual({ layout: 'speaker' });
    const [streams] = await livekit.egresses.listEgress({ egressId: ids.UpdateStream });
    expect(streams?.streamResults.map(({ url, status }) => [url, StreamInfo_Status[status]])).toEqual([
      ['rtmps://a.example.com/live/{ke...ld}', 'FINISHED'],
      ['rtmps://a.example.com/live/{ke...ew}', 'ACTIVE'],
    ]);

    if (side === 'Reelkit')
      for (const id of started) expect(await e2e.api.show(id)).toMatchObject({ id, stage: 'recording' });
    for (const id of [...started, ids.UpdateLayout, ids.UpdateStream, ids.ListEgress])
      await livekit.egresses.stopEgress(id);
    await untilStatus(livekit, [...named, ...started], EgressStatus.EGRESS_COMPLETE);
  });
});
