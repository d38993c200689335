// The whole service with the key it made itself: what Temporal wrote holds nothing of a request, the codec endpoint shows it, and
// a service that lacks the key does not touch what it cannot read.
import { readFile, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { EncodedFileOutput, S3Upload, StreamOutput, StreamProtocol } from 'livekit-server-sdk';
import { expect, test } from 'vitest';
import type { RecordingRequestInput } from '../../src/recording/request.ts';
import type { RecordingView } from '../../src/recording/view.ts';
import { useStack } from '../support/stack.ts';
import { waitFor } from '../support/stack-wait.ts';

const e2e = useStack();
const WEBHOOK = { url: 'http://127.0.0.1:9/a-password-of-somebody?token=a-password-of-somebody' };

async function storedByTemporal(): Promise<Buffer> {
  const { stateDir } = e2e.stack;
  const files = ['temporal.db', 'temporal.db-wal'].map((name) => readFile(join(stateDir, name)));
  return Buffer.concat(await Promise.all(files));
}

test('a request is unreadable where Temporal keeps it, and readable through the codec endpoint', async () => {
  const { keyFile } = e2e.service;
  expect((await stat(keyFile)).mode & 0o777).toBe(0o600);
  const room = await e2e.livekit.createRoom('secret');
  const { id } = await e2e.api.record({ source: { type: 'room', room }, webhook: WEBHOOK });
  await e2e.api.untilStage(id, 'recording');
  const stored = await storedByTemporal();
  expect(stored.includes(id)).toBe(true);
  expect(stored.includes('a-password-of-somebody')).toBe(false);

  const { raw } = await e2e.temporal.workflow.getHandle(id).describe();
  const { metadata, data } = raw.workflowExecutionInfo?.memo?.fields?.request ?? {};
  const base64 = (bytes: Uint8Array | null | undefined) => Buffer.from(bytes ?? []).toString('base64');
  const payload = {
    metadata: Object.fromEntries(Object.entries(metadata ?? {}).map(([key, value]) => [key, base64(value)])),
    data: base64(data),
  };
  const decoded = await e2e.api.call<{ payloads: { data: string }[] }>('/codec/decode', {
    method: 'POST',
    body: { payloads: [payload] },
  });
  expect(Buffer.from(decoded.body.payloads[0]?.data ?? '', 'base64').toString()).toContain('http://127.0.0.1:9/{...}');
  expect(JSON.stringify(await e2e.api.show(id))).not.toContain('a-password-of-somebody');
  expect(await readFile(e2e.service.logFile, 'utf8')).not.toContain('a-password-of-somebody');
  await e2e.api.call(`/v1/recordings/${id}/cancel`, { method: 'POST' });
  await e2e.api.untilEnded(id);
});

test('a service without the key does not start while a recording needs it, and goes on with it', async () => {
  const room = await e2e.livekit.createRoom('key');
  const { id } = await e2e.api.record({ source: { type: 'room', room } });
  await e2e.api.untilStage(id, 'recording');
  const another = { keyFile: join(e2e.stack.stateDir, 'another-key') };
  await expect(e2e.restartService({ config: { encryption: another } })).rejects.toThrow(
    /open workflows of fleet .*default.* were encrypted with key .*give all Reelkit processes the same keys/,
  );
  await e2e.restartService({});
  await e2e.api.untilStage(id, 'recording');
  const { body } = await e2e.api.call<RecordingView>(`/v1/recordings/${id}/cancel`, { method: 'POST' });
  expect(body.parts).toHaveLength(1);
  expect((await e2e.api.untilEnded(id)).stage).toBe('cancelled');
});

test('no secret of a request that came through LiveKit is kept, logged, listed or measured', async () => {
  const room = await e2e.livekit.createRoom('planted');
  const planted = { accessKey: 'AKIAPLANTED', secret: 'planted-storage-secret', streamKey: 'planted-stream-key' };
  const { accessKey, secret } = planted;
  const s3 = new S3Upload({ bucket: 'bucket', region: 'eu', accessKey, secret });
  const started = await e2e.livekit.egresses.startRoomCompositeEgress(room, {
    file: new EncodedFileOutput({ filepath: 'planted.mp4', output: { case: 's3', value: s3 } }),
    stream: new StreamOutput({ protocol: StreamProtocol.RTMP, urls: [`rtmp://127.0.0.1:9/app/${planted.streamKey}`] }),
  });
  const { id } = await e2e.api.untilEnded(started.egressId);
  const seen = {
    temporal: (await storedByTemporal()).toString('latin1'),
    log: await readFile(e2e.service.logFile, 'utf8'),
    view: JSON.stringify(await e2e.api.show(id)),
    record: JSON.stringify(await e2e.livekit.egresses.listEgress({ egressId: id }), bigints),
    metrics: await e2e.api.metrics(),
    answer: JSON.stringify(started, bigints),
  };
  for (const [where, text] of Object.entries(seen))
    for (const value of Object.values(planted)) expect(text.includes(value), `${value} in ${where}`).toBe(false);
});

test('no secret of a storage that a request of the API brings is kept, logged, listed, measured or told', async () => {
  const told: string[] = [];
  const hook = createServer((request, response) => {
    request.on('data', (chunk: Buffer) => told.push(chunk.toString()));
    request.on('end', () => response.end());
  });
  await new Promise<void>((resolve) => hook.listen(0, '127.0.0.1', resolve));
  const webhook = { url: `http://127.0.0.1:${(hook.address() as AddressInfo).port}/` };
  const room = await e2e.livekit.createRoom('inline');
  const planted = { accessKey: 'AKIAINLINE', secret: 'inline-storage-secret', sessionToken: 'inline-session-token' };
  const credentials = '{"private_key":"inline-service-account"}';
  const azure = { accountName: 'inlineaccountname', accountKey: 'inline-account-key' };
  const outputs: RecordingRequestInput['outputs'] = [
    { type: 'file', storage: { type: 's3', bucket: 'b', ...planted } },
    { type: 'segments', storage: { type: 'gcs', bucket: 'b', credentials } },
    { type: 'images', prefix: 'i', storage: { type: 'azure', containerName: 'c', ...azure } },
    {
      type: 'images',
      storage: { type: 'alioss', bucket: 'b', endpoint: 'https://e', accessKey: 'LTAIINLINE', secret: 's-inline-oss' },
    },
  ];
  const accepted = await e2e.api.record({ source: { type: 'room', room }, outputs, webhook });
  const ended = await e2e.api.untilEnded(accepted.id);
  // The stand-in has no uploads: that it was asked for one shows that the storage reached it.
  expect(JSON.stringify(ended.parts) + ended.reason?.message).toMatch(/s3|upload|storage/i);
  await waitFor(
    'the webhook',
    async () => told.join(''),
    (text) => text.includes(accepted.id),
    30_000,
  );
  hook.close();
  const seen = {
    temporal: (await storedByTemporal()).toString('latin1'),
    log: await readFile(e2e.service.logFile, 'utf8'),
    accepted: JSON.stringify(accepted),
    view: JSON.stringify(ended),
    list: JSON.stringify(await e2e.api.list()),
    record: JSON.stringify(await e2e.livekit.egresses.listEgress({ egressId: accepted.id }), bigints),
    metrics: await e2e.api.metrics(),
    webhook: told.join(''),
  };
  expect(seen.record).toContain('{secret}');
  const secrets = [
    ...Object.values(planted),
    ...Object.values(azure),
    'inline-service-account',
    'LTAIINLINE',
    's-inline-oss',
  ];
  for (const [where, text] of Object.entries(seen))
    for (const value of secrets) expect(text.includes(value), `${value} in ${where}`).toBe(false);
});

function bigints(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}
