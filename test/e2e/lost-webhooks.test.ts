// Webhooks that do not arrive. LiveKit's own go to a port nobody listens on: starts and ends are noticed all the same. Reelkit's go to a
// receiver that is down: it costs no worker, and is told everything once it is back.
import { createServer } from 'node:http';
import { EncodedFileOutput, WebhookReceiver } from 'livekit-server-sdk';
import { expect, onTestFinished, test } from 'vitest';
import type { FailedDeliveriesView, WebhookDeliveriesView } from '../../src/api/schemas.ts';
import { freePorts } from '../../src/dev/ports.ts';
import { useStack } from '../support/stack.ts';
import { ACTIVE } from '../support/stack-livekit.ts';
import { fleetHistory } from '../support/stack-temporal.ts';
import { waitFor } from '../support/stack-wait.ts';

const [apiPort = 0, hookPort = 0] = await freePorts(2);
const receivers = [{ name: 'lms', url: `http://127.0.0.1:${hookPort}/lms?token=hunter2` }];
const e2e = useStack({ apiPort, config: { webhooks: { allow: ['127.0.0.1'], receivers } } });

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

interface Told {
  path: string;
  id: string;
  event: string;
  sequence: number;
  recordingId: string;
  body: string;
}

/** As an application would: what LiveKit's SDK does not verify is not taken. */
async function listen(answer: (told: Told) => number): Promise<Told[]> {
  const told: Told[] = [];
  const { apiKey, apiSecret } = e2e.stack.livekit;
  const receiver = new WebhookReceiver(apiKey, apiSecret);
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', async () => {
      const body = Buffer.concat(chunks).toString();
      const { event, id } = await receiver.receive(body, request.headers.authorization);
      const { sequence, recording } = JSON.parse(body) as { sequence: number; recording: { id: string } };
      const path = (request.url ?? '').split('?')[0] ?? '';
      const one = { path, id, event, sequence, recordingId: recording.id, body };
      told.push(one);
      response.writeHead(answer(one)).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(hookPort, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return told;
}

test('a receiver that is down keeps no worker, and is told everything in order once it is back', async () => {
  const { api, livekit, temporal } = e2e;
  const room = await livekit.createRoom('receiver');
  const file = new EncodedFileOutput({ filepath: 'receiver.mp4' });
  const { egressId } = await livekit.egresses.startRoomCompositeEgress(room, { file });
  const webhook = { url: `http://127.0.0.1:${hookPort}/own`, events: ['recording.completed' as const] };
  const { id } = await api.record({ source: { type: 'room', room }, webhook });
  const ids = [egressId, id];
  await Promise.all(ids.map((one) => api.untilStage(one, 'recording', 90_000)));
  await livekit.closeRoom(room);
  for (const one of ids) expect((await api.untilEnded(one)).stage).toBe('completed');
  await e2e.untilFleetIsEmpty();
  await waitFor(
    'the fleet to sleep while webhooks wait for their receiver',
    () => fleetHistory(temporal),
    ({ pendingTimers, pendingActivities, pendingWorkflowTasks }) =>
      pendingTimers + pendingActivities + pendingWorkflowTasks === 0,
  );
  const show = (one: string) => api.call<WebhookDeliveriesView>(`/v1/recordings/${one}/webhooks`);
  const waiting = (await show(egressId)).body.events;
  expect(waiting[0]?.deliveries).toMatchObject([
    { receiver: 'lms', state: 'pending', problem: { code: 'unreachable' } },
  ]);
  expect(JSON.stringify([waiting, await api.show(id), await livekit.egressesOf(id)], bigints)).not.toMatch(
    /hunter2|\/own/,
  );

  let refuses = true;
  const told = await listen(({ path }) => (path === '/own' && refuses ? 404 : 204));
  const of = (one: string, path: string) => told.filter((each) => each.recordingId === one && each.path === path);
  const again = (one: string, which: object) =>
    api.post<WebhookDeliveriesView>(`/v1/recordings/${one}/webhooks/replay`, which);
  // Without it the next try may be ten minutes away.
  for (const one of ids) expect((await again(one, {})).status).toBe(200);
  await waitFor(
    'everything to be told',
    async () => ids.map((one) => of(one, '/lms').at(-1)?.event),
    (last) => last.every((event) => event === 'recording.completed'),
  );
  const heard = of(egressId, '/lms');
  expect(heard.map(({ sequence }) => sequence)).toEqual(heard.map((_, index) => index + 1));
  expect(heard.map(({ id: event }) => event)).toEqual(waiting.map(({ id: event }) => event));
  expect(heard.map(({ event }) => event)).toEqual(
    expect.arrayContaining(['recording.started', 'recording.part_ended']),
  );

  const failed = () => api.call<FailedDeliveriesView>('/v1/webhooks/failed');
  await waitFor('the refused one to be listed', failed, ({ body }) =>
    body.recordings.some((one) => one.recordingId === id),
  );
  refuses = false;
  expect((await again(id, { failed: true })).body.events).toMatchObject([
    {
      event: 'recording.completed',
      deliveries: expect.arrayContaining([expect.objectContaining({ state: 'delivered', status: 204 })]),
    },
  ]);
  const [refused, taken] = of(id, '/own');
  expect(taken?.body).toBe(refused?.body);
  await waitFor('nothing to be listed any more', failed, ({ body }) => body.recordings.length === 0);
  expect((await again(egressId, { sequence: 99 })).body).toMatchObject({ code: 'webhook_event_not_found' });
});

function bigints(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}
