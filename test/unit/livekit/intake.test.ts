// Reelkit as LiveKit's egress worker: whom it claims for, what it answers and when, and what it leaves to others.
import {
  EgressInfo,
  EgressStatus,
  EncodedFileOutput,
  RoomCompositeEgressRequest,
  StopEgressRequest,
  UpdateStreamRequest,
  WebEgressRequest,
} from '@livekit/protocol';
import { describe, expect, it } from 'vitest';
import { RpcError } from '../../../src/bus/server.ts';
import { type IntakeParts, type IntakeRecordings, serveIntake } from '../../../src/livekit/intake.ts';
import { StartMessage } from '../../../src/livekit/request/index.ts';
import { type Ask, makeBed, RECORDING } from './bed.ts';

const NOW_MS = Date.UTC(2030, 0, 2, 10, 20, 30);

const roomRequest = new RoomCompositeEgressRequest({
  roomName: 'lesson',
  fileOutputs: [new EncodedFileOutput({ filepath: '{room_name}-{time}.mp4' })],
});
const start = (request: StartMessage['request'] = { case: 'roomComposite', value: roomRequest }) =>
  new StartMessage({ egressId: RECORDING, roomId: 'RM_1', roomName: 'lesson', request });

async function reelkit(change: Partial<IntakeParts> = {}, recordings: Partial<IntakeRecordings> = {}) {
  const bed = makeBed();
  const events: string[] = [];
  const accepted: StartMessage[] = [];
  const records: EgressInfo[] = [];
  const served = await serveIntake(bed.server(), {
    recordings: {
      async accept(message, atMs) {
        events.push('accepted');
        accepted.push(message);
        return { acceptedAtMs: atMs };
      },
      knows: async (egressId) => egressId === RECORDING,
      stop: async (egressId) => new EgressInfo({ egressId, status: EgressStatus.EGRESS_ENDING }),
      async updateStreams(egressId, { add, remove }) {
        return new EgressInfo({ egressId, details: JSON.stringify({ add, remove }) });
      },
      ...recordings,
    },
    records: {
      async create(info) {
        events.push('record created');
        records.push(info);
      },
      async update() {
        events.push('record updated');
      },
    },
    isReady: () => true,
    now: () => NOW_MS,
    log: bed.log,
    ...change,
  });
  const ask = async (method: string, request: Ask['request'], topic?: string) => {
    const service = method === 'StartEgress' ? 'EgressInternal' : 'EgressHandler';
    const reply = await bed.ask({ service, method, request, topic });
    events.push('answered');
    return reply;
  };
  return { ...bed, events, accepted, records, served, start: (message = start()) => ask('StartEgress', message), ask };
}

describe('StartEgress of LiveKit', () => {
  it('is answered STARTING, after the recording is durable and LiveKit has its record', async () => {
    const { start, events, records } = await reelkit();
    const reply = await start();
    if (!reply.ok) throw new Error(reply.message);
    const info = EgressInfo.fromBinary(reply.response);
    expect(info).toMatchObject({
      egressId: RECORDING,
      roomId: 'RM_1',
      roomName: 'lesson',
      status: EgressStatus.EGRESS_STARTING,
      startedAt: BigInt(NOW_MS) * 1_000_000n,
    });
    expect(events).toEqual(['accepted', 'record created', 'answered']);
    expect(records).toEqual([info]);
  });

  it('keeps the request with the names it will have', async () => {
    const { start, accepted } = await reelkit();
    await start();
    const [message] = accepted;
    const request = message?.request.value as RoomCompositeEgressRequest;
    expect(request.fileOutputs[0]?.filepath).toBe('lesson-2030-01-02T102030.mp4');
  });

  it('that comes again is answered with the names and the time it was first accepted with', async () => {
    const acceptedAtMs = NOW_MS - 61_000;
    const { start } = await reelkit({}, { accept: async () => ({ acceptedAtMs }) });
    const reply = await start();
    if (!reply.ok) throw new Error(reply.message);
    expect(EgressInfo.fromBinary(reply.response)).toMatchObject({
      startedAt: BigInt(acceptedAtMs) * 1_000_000n,
      fileResults: [{ filename: 'lesson-2030-01-02T101929.mp4' }],
    });
  });

  it('is not claimed while this process is not ready, so that another one is asked', async () => {
    const { start, events } = await reelkit({ isReady: () => false });
    expect(await start()).toMatchObject({ ok: false, granted: false, code: 'no_claim' });
    expect(events).toEqual(['answered']);
  });

  it.each<[string, StartMessage['request'], string]>([
    [
      'without an output',
      { case: 'roomComposite', value: new RoomCompositeEgressRequest({ roomName: 'lesson' }) },
      'request has missing or invalid field: output',
    ],
    [
      'without a page to show',
      { case: 'web', value: new WebEgressRequest({ fileOutputs: roomRequest.fileOutputs }) },
      'request has missing or invalid field: web url',
    ],
  ])("%s is refused at once, in the workers' words", async (_, request, message) => {
    const { start: startIt, events } = await reelkit();
    expect(await startIt(start(request))).toMatchObject({ ok: false, code: 'invalid_argument', message });
    expect(events).toEqual(['answered']);
  });

  it('that cannot be read is refused as such', async () => {
    const { ask } = await reelkit();
    const reply = await ask('StartEgress', new Uint8Array([255, 255, 255]));
    expect(reply).toMatchObject({ ok: false, code: 'malformed_request' });
  });

  it('that could not be made durable is refused with the code that makes LiveKit ask again, and leaves no record', async () => {
    const accept = () => Promise.reject(new RpcError('unavailable', 'the recording could not be kept now'));
    const { start, records } = await reelkit({}, { accept });
    expect(await start()).toMatchObject({ ok: false, code: 'unavailable' });
    expect(records).toEqual([]);
  });

  it('is accepted although LiveKit does not take the record: the recording tells it again', async () => {
    const records = { create: () => Promise.reject(new Error('nobody took it')), update: async () => {} };
    const { start, logged } = await reelkit({ records });
    expect((await start()).ok).toBe(true);
    expect(logged).toContainEqual(
      expect.objectContaining({ level: 'warn', fields: { egress: RECORDING, error: 'Error: nobody took it' } }),
    );
  });

  it('writes neither the request nor its keys to the log', async () => {
    const { start, logged } = await reelkit();
    await start();
    expect(logged).toHaveLength(1);
    expect(Object.keys(logged[0]?.fields ?? {}).sort()).toEqual(['durationMs', 'egress', 'request']);
  });

  it('is claimed no more once the serving is stopped', async () => {
    const { start, served } = await reelkit();
    await served.stop();
    expect(await start()).toMatchObject({ ok: false, code: 'no_claim' });
  });
});

describe('StopEgress and UpdateStream of LiveKit', () => {
  const stop = (egressId = RECORDING) => new StopEgressRequest({ egressId });

  it('are answered for every recording, whichever process accepted it', async () => {
    const { ask } = await reelkit();
    const reply = await ask('StopEgress', stop(), RECORDING);
    if (!reply.ok) throw new Error(reply.message);
    expect(EgressInfo.fromBinary(reply.response).status).toBe(EgressStatus.EGRESS_ENDING);
  });

  it('pass on which streams come and go', async () => {
    const { ask } = await reelkit();
    const change = { egressId: RECORDING, addOutputUrls: ['rtmp://a/b'], removeOutputUrls: ['rtmp://c/d'] };
    const reply = await ask('UpdateStream', new UpdateStreamRequest(change), RECORDING);
    if (!reply.ok) throw new Error(reply.message);
    expect(JSON.parse(EgressInfo.fromBinary(reply.response).details)).toEqual({
      add: ['rtmp://a/b'],
      remove: ['rtmp://c/d'],
    });
  });

  it("are refused in the recording's words", async () => {
    const words = 'egress with status EGRESS_COMPLETE cannot be stopped';
    const { ask } = await reelkit({}, { stop: () => Promise.reject(new RpcError('failed_precondition', words)) });
    expect(await ask('StopEgress', stop(), RECORDING)).toMatchObject({ code: 'failed_precondition', message: words });
  });

  it.each([
    ['an egress of a plain worker', 'EG_another23456', async () => false],
    ['what is no id of a recording', 'EG_x', async () => true],
    ['an attempt, which only workers know', `${RECORDING}_1`, async () => true],
    ['a recording that cannot be looked up now', RECORDING, () => Promise.reject(new Error('Temporal is away'))],
  ])('are left to others for %s', async (_, egressId, knows) => {
    const { ask, broker } = await reelkit({}, { knows });
    expect(await ask('StopEgress', stop(egressId), egressId)).toMatchObject({ granted: false, code: 'no_claim' });
    const change = new UpdateStreamRequest({ egressId });
    expect(await ask('UpdateStream', change, egressId)).toMatchObject({ granted: false, code: 'no_claim' });
    expect(broker.published.filter(({ channel }) => /CLAIM/.test(channel))).toEqual([]);
  });

  it('are taken by one of two processes', async () => {
    const bed = makeBed();
    let stops = 0;
    const recordings: IntakeRecordings = {
      accept: async (_, atMs) => ({ acceptedAtMs: atMs }),
      knows: async () => true,
      async stop(egressId) {
        stops += 1;
        return new EgressInfo({ egressId });
      },
      updateStreams: async (egressId) => new EgressInfo({ egressId }),
    };
    const records = { create: async () => {}, update: async () => {} };
    for (const server of [bed.server(), bed.server()])
      await serveIntake(server, { recordings, records, isReady: () => true, now: Date.now, log: bed.log });
    const call = { service: 'EgressHandler', method: 'StopEgress', topic: RECORDING, request: stop() };
    expect((await bed.ask(call)).ok).toBe(true);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(stops).toBe(1);
  });
});
