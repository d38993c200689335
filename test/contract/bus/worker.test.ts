// The caller, and the server of IOInfo, against an egress worker with the official psrpc: the stand-in, or what
// REELKIT_EGRESS_BIN names.
import { readFile } from 'node:fs/promises';
import { EgressInfo, EgressStatus } from '@livekit/protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRpcClient, type RpcReply } from '../../../src/bus/client.ts';
import { createWorkers } from '../../../src/livekit/workers.ts';
import { holdsFor, waitFor } from '../../support/stack-wait.ts';
import { type Bed, makeBed, makeWorkersSide, SPEAKER, startRequest } from './bed.ts';

const TOPIC = 'w-a';
const TOPIC_CHANNEL = 'EgressInternal|StartEgress|wu+002da|REQ';
const QUESTION = { service: 'EgressInternal', method: 'ListActiveEgress', request: new Uint8Array() };
let bed: Bed;
let workers: Awaited<ReturnType<typeof makeWorkersSide>>;
let room: { name: string; sid: string };
let workerProcess: Awaited<ReturnType<Bed['startWorker']>>;
let made = 0;

beforeAll(async () => {
  bed = await makeBed();
  const bus = await bed.workersBus();
  workers = await makeWorkersSide(bus);
  workerProcess = await bed.startWorker(TOPIC);
  room = await bed.livekit.rooms.createRoom({ name: 'bus', emptyTimeout: 3_600 });
  await bed.speak(room.name, SPEAKER);
  await waitFor(
    'the worker listens',
    () => bus.channels('EgressInternal|StartEgress|*REQ'),
    (found) => found.includes(TOPIC_CHANNEL),
  );
});
afterAll(() => bed?.end());

function newEgressId(): string {
  made += 1;
  return `EG_bus${made}`;
}

function infoOf(reply: RpcReply): EgressInfo {
  if (!reply.ok) throw new Error(`${reply.code}: ${reply.message}`);
  return EgressInfo.fromBinary(reply.response);
}

describe('a worker with a topic of its own', () => {
  it('is seen by its channels, and starts, lists and stops a recording', async () => {
    const bus = await bed.workersBus();
    expect(await bus.subscribers(TOPIC_CHANNEL)).toBe(1);
    const egressId = newEgressId();
    const started = infoOf(await workers.start({ topic: TOPIC, request: startRequest(egressId, room) }));
    expect(started).toMatchObject({ egressId, status: EgressStatus.EGRESS_STARTING, roomName: room.name });
    await workers.untilReported(egressId, EgressStatus.EGRESS_STARTING);
    expect(await workers.active()).toEqual([egressId]);
    expect(await createWorkers(workers.client).active()).toEqual(new Set([egressId]));
    expect(await bus.channels('EgressHandler|StopEgress|*|REQ')).toEqual([`EgressHandler|StopEgress|${egressId}|REQ`]);

    // Before media flows it is deaf to a stop.
    await workers.untilReported(egressId, EgressStatus.EGRESS_ACTIVE);
    expect(infoOf(await workers.stop(egressId)).egressId).toBe(egressId);
    await waitFor(
      'the worker is idle',
      () => workers.active(),
      (active) => active.length === 0,
    );
    await workers.untilReported(egressId, EgressStatus.EGRESS_COMPLETE);
  });

  it('claims in a dry run, and starts nothing', async () => {
    const egressId = newEgressId();
    const claim = await workers.dryRun(TOPIC, startRequest(egressId, room));
    expect(claim?.serverId).toMatch(/^SRV_/);
    expect(claim?.affinity).toBeGreaterThan(0);
    await holdsFor(
      'nothing runs',
      2_500,
      () => workers.active(),
      (active) => active.length === 0,
    );
    expect(workers.statusesOf(egressId)).toEqual([]);
  });

  it('starts nothing when the grant comes after the expiry', async () => {
    const egressId = newEgressId();
    const expiryMs = Date.now() + 300;
    const choose = () => {
      while (Date.now() < expiryMs + 50);
      return true;
    };
    // Its clock is behind, so that it grants what has expired.
    const late = await createRpcClient(await bed.workersBus(), { now: () => Date.now() - 60_000 });
    const reply = await late.call({
      service: 'EgressInternal',
      method: 'StartEgress',
      topic: TOPIC,
      request: startRequest(egressId, room),
      timeoutMs: 2_000,
      expiryMs,
      choose,
    });
    expect(reply).toMatchObject({ ok: false, code: 'deadline_exceeded', granted: true });
    expect(await workers.active()).toEqual([]);
    expect(workers.statusesOf(egressId)).toEqual([]);
  });

  it('refuses an id that it records already', async () => {
    const egressId = newEgressId();
    const request = startRequest(egressId, room);
    const replies = await Promise.all([1, 2, 3].map(() => workers.start({ topic: TOPIC, request })));
    expect(replies.filter(({ ok }) => ok)).toHaveLength(1);
    for (const refused of replies.filter(({ ok }) => !ok)) expect(refused).toMatchObject({ code: 'already_exists' });
    await workers.untilReported(egressId, EgressStatus.EGRESS_ACTIVE);
    await workers.stop(egressId);
    await waitFor(
      'the worker is idle',
      () => workers.active(),
      (active) => active.length === 0,
    );
  });

  it('ends a start whose record is refused, and tells the caller', async () => {
    const egressId = newEgressId();
    workers.refuseRecordOf(egressId);
    const reply = await workers.start({ topic: TOPIC, request: startRequest(egressId, room) });
    expect(reply).toMatchObject({ ok: false, granted: true, code: 'permission_denied' });
    await waitFor(
      'the worker is idle',
      () => workers.active(),
      (active) => active.length === 0,
    );
    expect(workers.statusesOf(egressId)).not.toContain(EgressStatus.EGRESS_ACTIVE);
  });

  it('goes on listening while it is frozen, and answers nothing', async () => {
    const bus = await bed.workersBus();
    process.kill(workerProcess.pid, 'SIGSTOP');
    try {
      await waitFor(
        'the worker to be frozen',
        () => readFile(`/proc/${workerProcess.pid}/stat`, 'utf8'),
        (stat) => / T /.test(stat),
      );
      expect(await bus.subscribers(TOPIC_CHANNEL)).toBe(1);
      expect(await workers.client.multi(QUESTION, { waitMs: 1_000 })).toEqual([]);
    } finally {
      process.kill(workerProcess.pid, 'SIGCONT');
    }
    expect(await workers.client.multi(QUESTION, { waitMs: 3_000, expected: 1 })).toHaveLength(1);
  });

  it('refuses an invalid request with a code', async () => {
    const request = startRequest(newEgressId(), room, { file: '' });
    const reply = await workers.start({ topic: TOPIC, request: request.subarray(0, request.length - 3) });
    expect(reply).toMatchObject({ ok: false });
    expect(reply.ok ? '' : reply.code).toMatch(/^(malformed_request|invalid_argument)$/);
  });

  it('is not there for another topic, nor for a stop of what it does not record', async () => {
    const reply = await workers.start({
      topic: 'w-b',
      request: startRequest(newEgressId(), room),
      claimTimeoutMs: 500,
    });
    expect(reply).toMatchObject({ ok: false, code: 'no_claim', granted: false });
    expect(await workers.stop('EG_unknown')).toMatchObject({ ok: false, code: 'no_claim', granted: false });
  });
});
