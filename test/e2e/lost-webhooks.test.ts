// No webhook ever arrives: LiveKit sends its own to a port nobody listens on. Starts and ends are noticed all the same.
import { expect, test } from 'vitest';
import { freePorts } from '../../src/dev/ports.ts';
import { useStack } from '../support/stack.ts';
import { ACTIVE } from '../support/stack-livekit.ts';

const [apiPort = 0] = await freePorts(1);
const e2e = useStack({ apiPort });

test('without a single webhook start, end and file of a recording are known', async () => {
  const { api, livekit } = e2e;
  const room = await livekit.createRoom('unheard');
  const { id } = await api.record({ source: { type: 'room', room } });
  await api.untilStage(id, 'recording', 90_000);
  await livekit.untilStatus(id, ACTIVE);
  await livekit.closeRoom(room);
  const ended = await api.untilEnded(id, 90_000);
  expect(ended).toMatchObject({ stage: 'completed', reason: { code: 'finished' } });
  expect(ended.startedAtMs).toBeGreaterThan(0);
  expect(ended.parts[0]?.files).toHaveLength(1);
  const { body } = await api.call<string>('/metrics', { token: null });
  expect(body).not.toContain('route="/webhooks/livekit"');
  await e2e.untilFleetIsEmpty();
});
