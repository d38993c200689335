// Two Reelkit processes on one LiveKit: each start is one recording, a rolling restart costs no caller an error, and one that is killed
// is stood in for.
import { EncodedFileOutput } from 'livekit-server-sdk';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePorts } from '../../src/dev/ports.ts';
import { createReelkitService, type ReelkitService } from '../../src/dev/reelkit-service.ts';
import { useStack } from '../support/stack.ts';
import { waitFor } from '../support/stack-wait.ts';
import { receiveWebhooks } from '../support/webhooks.ts';

const webhooks = await receiveWebhooks();
// No worker at all: what is asked of LiveKit waits.
const e2e = useStack({
  fleet: { maxWorkers: 1 },
  capacity: { bootDelay: '10m' },
  stack: { webhookUrls: [webhooks.url] },
});
let second: ReelkitService;
let room = '';

beforeAll(async () => {
  webhooks.trust(e2e.stack.livekit);
  const [port = 0] = await freePorts(1);
  const api = { host: '127.0.0.1', port, url: `http://127.0.0.1:${port}` };
  second = await createReelkitService({
    stack: { ...e2e.stack, api },
    egressBin: 'egress',
    config: { fleet: { maxWorkers: 1 }, capacity: { bootDelay: '10m' }, shutdownGrace: '10s' },
    name: 'second',
  });
  await second.start();
  room = await e2e.livekit.createRoom('takeover');
});
afterAll(async () => {
  await second?.stop();
  await webhooks.close();
});

let made = 0;
const start = async () => {
  made += 1;
  const file = new EncodedFileOutput({ filepath: `${e2e.service.recordingsDir}/takeover-${made}.mp4` });
  return (await e2e.livekit.egresses.startRoomCompositeEgress(room, { file })).egressId;
};
const startMany = (count: number) => Promise.all(Array.from({ length: count }, start));

/** More than the machine can take is another test's subject. */
const UNANSWERED = 3;

/** Asks steadily until what is done meanwhile is done. @returns the ids */
async function startWhile(done: Promise<unknown>): Promise<string[]> {
  let over = false;
  const end = () => {
    over = true;
  };
  done.then(end, end);
  const asked: Promise<string>[] = [];
  let unanswered = 0;
  const answered = () => {
    unanswered -= 1;
  };
  for (; !over; await new Promise((resolve) => setTimeout(resolve, 150))) {
    if (unanswered >= UNANSWERED) continue;
    unanswered += 1;
    const one = start();
    one.then(answered, answered);
    asked.push(one);
  }
  await done;
  return Promise.all(asked);
}

async function eachOnce(ids: string[]): Promise<void> {
  expect(new Set(ids).size).toBe(ids.length);
  const listed = (await e2e.livekit.list()).filter(({ egressId }) => ids.includes(egressId));
  expect(listed).toHaveLength(ids.length);
  for (const id of ids) {
    expect(await e2e.api.show(id)).toMatchObject({ id });
    const told = async () => webhooks.of(id).filter((event) => event.startsWith('egress_started'));
    await waitFor(`egress_started of ${id}`, told, (events) => events.length > 0, 30_000);
    expect(await told()).toHaveLength(1);
  }
}

test('a hundred starts at once are a hundred recordings, each begun once', async () => {
  await eachOnce(await startMany(100));
});

test('a rolling restart under load costs no caller an error', async () => {
  const roll = async () => {
    await second.stop();
    await second.start();
    await e2e.service.stop();
    await e2e.service.start();
  };
  await eachOnce(await startWhile(roll()));
});

test('whoever asked a process that is killed gets an answer from the other one', async () => {
  const ids = startWhile(second.kill('SIGKILL').then(() => new Promise((resolve) => setTimeout(resolve, 2_000))));
  await eachOnce(await ids);
});
