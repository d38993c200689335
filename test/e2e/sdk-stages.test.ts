// The table of docs/livekit.md: what LiveKit's own SDK is answered while an egress waits, records, and has ended.
import { EgressStatus, EncodedFileOutput, EncodedFileType, StreamOutput, StreamProtocol } from 'livekit-server-sdk';
import { beforeAll, describe, expect, test } from 'vitest';
import { useStack } from '../support/stack.ts';
import { waitFor } from '../support/stack-wait.ts';

// Time enough to be asked while a worker boots, and room for one.
const e2e = useStack({ fleet: { maxWorkers: 1 }, capacity: { bootDelay: '5s' } });

const url = (key: string) => `rtmp://127.0.0.1:1/live/${key}`;
const refused = (status: number, message: string) => ({ status, message: expect.stringContaining(message) });

let room: string;
beforeAll(async () => {
  room = await e2e.livekit.createRoom('stages');
});

describe('a file that waits for its worker, and then records', () => {
  let id: string;

  test('has the name in its first answer that it keeps to the end', async () => {
    const filepath = `${e2e.service.recordingsDir}/{room_name}-{time}.mp4`;
    const file = new EncodedFileOutput({ fileType: EncodedFileType.MP4, filepath });
    const started = await e2e.livekit.egresses.startRoomCompositeEgress(room, { file });
    id = started.egressId;
    expect(started.fileResults[0]?.filename).toMatch(new RegExp(`/${room}-\\d{4}-\\d\\d-\\d\\dT\\d{6}\\.mp4$`));
    expect(await e2e.livekit.egresses.listEgress({ egressId: id })).toMatchObject([
      { status: EgressStatus.EGRESS_STARTING, fileResults: [{ filename: started.fileResults[0]?.filename }] },
    ]);
  });

  test('has no layout to change before its recorder has joined', async () => {
    await expect(e2e.livekit.egresses.updateLayout(id, 'grid')).rejects.toMatchObject(
      refused(404, 'participant does not exist'),
    );
  });

  test('has no streams, waiting or recording', async () => {
    const change = () => e2e.livekit.egresses.updateStream(id, [url('another')]);
    const words = refused(400, 'UpdateStream called on non-streaming egress');
    await expect(change()).rejects.toMatchObject(words);
    await waitFor(
      'it to record',
      () => e2e.livekit.egresses.listEgress({ egressId: id }),
      ([info]) => info?.status === EgressStatus.EGRESS_ACTIVE,
    );
    await expect(change()).rejects.toMatchObject(words);
  });

  test('is answered by a 404 when nobody knows it, or its room', async () => {
    const { egresses } = e2e.livekit;
    await expect(egresses.stopEgress('EG_nobodyknows')).rejects.toMatchObject(refused(404, 'egress does not exist'));
    const file = new EncodedFileOutput({ filepath: 'x.mp4' });
    await expect(egresses.startRoomCompositeEgress('nobody-is-here', { file })).rejects.toMatchObject(
      refused(404, 'requested room does not exist'),
    );
  });
});

describe('a stream that waits for its worker', () => {
  let id: string;
  const key = 'abcdefghijkl';

  test('takes other URLs, refuses what a worker would refuse, and shows no key', async () => {
    const { egresses } = e2e.livekit;
    const stream = new StreamOutput({ protocol: StreamProtocol.RTMP, urls: [url(key)] });
    id = (await egresses.startRoomCompositeEgress(room, { stream })).egressId;
    const changed = await egresses.updateStream(id, [url('mnopqrstuvwx')], []);
    expect(changed.status).toBe(EgressStatus.EGRESS_STARTING);
    expect(changed.streamResults.map((one) => one.url)).toEqual(
      ['{abc...jkl}', '{mno...vwx}'].map((shown) => url(shown)),
    );
    expect(JSON.stringify(changed.toJson())).not.toContain(key);
    const [listed] = await egresses.listEgress({ egressId: id });
    expect(listed?.toJson()).toEqual(changed.toJson());
    const removed = await egresses.updateStream(id, [], [url('mnopqrstuvwx')]);
    expect(removed.streamResults).toHaveLength(1);
    expect((await egresses.listEgress({ egressId: id }))[0]?.toJson()).toEqual(removed.toJson());
    await expect(egresses.updateStream(id, [], [url('nobodynobody')])).rejects.toMatchObject(
      refused(404, 'stream rtmp://127.0.0.1:1/live/{nob...ody} not found'),
    );
    await expect(egresses.updateStream(id, ['http://127.0.0.1/x'])).rejects.toMatchObject(
      refused(400, 'invalid scheme'),
    );
  });

  test('ends when its last stream is taken away, as the worker of one that is starting would end it', async () => {
    const { egresses } = e2e.livekit;
    const stream = new StreamOutput({ protocol: StreamProtocol.RTMP, urls: [url(key)] });
    const { egressId } = await egresses.startRoomCompositeEgress(room, { stream });
    const emptied = await egresses.updateStream(egressId, [], [url(key)]);
    expect(emptied).toMatchObject({ status: EgressStatus.EGRESS_ABORTED, errorCode: 412 });
    expect((await egresses.listEgress({ egressId }))[0]?.toJson()).toEqual(emptied.toJson());
  });

  test('is aborted by a stop, and from then on neither stopped nor changed', async () => {
    const { egresses } = e2e.livekit;
    expect(await egresses.stopEgress(id)).toMatchObject({ status: EgressStatus.EGRESS_ABORTED, errorCode: 412 });
    const sinceMs = performance.now();
    await expect(egresses.stopEgress(id)).rejects.toMatchObject(
      refused(412, 'egress with status EGRESS_ABORTED cannot be stopped'),
    );
    await expect(egresses.updateStream(id, [url(key)])).rejects.toMatchObject(
      refused(412, 'egress with status EGRESS_ABORTED cannot be updated'),
    );
    // LiveKit's own answer takes 3 s each.
    expect(performance.now() - sinceMs).toBeLessThan(3_000);
  });
});

test('without Reelkit LiveKit says 503, and the list still answers', { timeout: 60_000 }, async () => {
  await e2e.service.stop();
  const file = new EncodedFileOutput({ filepath: 'y.mp4' });
  const sinceMs = performance.now();
  await expect(e2e.livekit.egresses.startRoomCompositeEgress(room, { file })).rejects.toMatchObject(
    refused(503, 'no response from servers'),
  );
  expect(performance.now() - sinceMs).toBeGreaterThan(15_000);
  expect((await e2e.livekit.egresses.listEgress({ roomName: room })).length).toBeGreaterThan(0);
  await e2e.service.start();
});
