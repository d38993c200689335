// No webhook ever arrives: LiveKit sends its own to a port nobody listens on. Starts and ends are noticed all the same.
import { expect, test } from 'vitest';
import { freePorts } from '../../src/dev/ports.ts';
import { useStack } from '../support/stack.ts';

const [apiPort = 0, deadPort = 0] = await freePorts(2);
const e2e = useStack({ apiPort, api: { publicUrl: undefined } });

async function recordAndEnd() {
  const { api, livekit } = e2e;
  const room = await livekit.createRoom('unheard');
  const { id } = await api.record({ source: { type: 'room', room } });
  const { parts } = await api.untilStage(id, 'recording', 90_000);
  const egresses = await livekit.egressesOf(id);
  expect(egresses).toMatchObject([{ egressId: parts[0]?.egressId, part: 1 }]);
  await livekit.closeRoom(room);
  const ended = await api.untilEnded(id, 90_000);
  expect(ended).toMatchObject({ stage: 'completed', reason: { code: 'finished' } });
  expect(ended.startedAtMs).toBeGreaterThan(0);
  expect(ended.parts[0]?.files).toHaveLength(1);
  const { body } = await api.call<string>('/metrics', { token: null });
  expect(body).not.toContain('route="/webhooks/livekit"');
  return egresses[0];
}

test('without a public URL the marker is in the file path, and the pass finds start and end', async () => {
  const egress = await recordAndEnd();
  expect(egress?.urls).toEqual([]);
  expect(egress?.files[0]).toMatch(new RegExp(`~${egress?.recordingId}~1~1`));
});

test('with a public URL that LiveKit cannot reach, the pass finds start and end', async () => {
  await e2e.restartService({ apiPort, api: { publicUrl: `http://127.0.0.1:${deadPort}` } });
  const egress = await recordAndEnd();
  expect(egress?.urls[0]).toMatch(`127.0.0.1:${deadPort}`);
  expect(egress?.files[0]).not.toMatch('~');
  await e2e.untilFleetIsEmpty();
});
