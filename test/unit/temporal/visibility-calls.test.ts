// Calls to visibility over gRPC: each try takes its turn and is counted; every other call passes by.

import { once } from 'node:events';
import { createServer, type Http2Server } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { createTemporalClient } from '../../../src/temporal/client.ts';
import { first } from '../../../src/temporal/visibility-calls.ts';

const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

/** A server that answers each call with an empty message, or with the next of these codes. */
async function temporal({ perSecond = 10, codes = [] as number[] } = {}) {
  const asked: { method: string; headers: string[] }[] = [];
  const server: Http2Server = createServer();
  server.on('stream', (stream, headers) => {
    asked.push({ method: `${headers[':path']}`.split('/').at(-1) ?? '', headers: Object.keys(headers) });
    stream.resume();
    const code = codes.shift() ?? 0;
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': `${code}`, 'grpc-message': 'no' }));
    stream.end(code === 0 ? Buffer.alloc(5) : undefined);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const counted: [string, string][] = [];
  const { client, close } = createTemporalClient({ address, namespace: 'n', connectionOptions: {} }, undefined, {
    perSecond,
    called: (...call) => void counted.push(call),
  });
  open.push(close, () => server.close());
  const count = (withinMs = 10_000) =>
    client.withDeadline(Date.now() + withinMs, () => client.workflow.count("WorkflowType = 'recording'"));
  return { client, asked, counted, count };
}

it('counts visibility calls by method and status, and nothing else', async () => {
  const { client, count, counted, asked } = await temporal({ codes: [0, 0, 3] });
  await count();
  await client.workflowService.listWorkflowExecutions({ namespace: 'n' });
  await expect(client.workflowService.scanWorkflowExecutions({ namespace: 'n' })).rejects.toThrow();
  await client.workflowService.describeNamespace({ namespace: 'n' });
  expect(counted).toEqual([
    ['count', 'ok'],
    ['list', 'ok'],
    ['scan', 'invalid_argument'],
  ]);
  expect(asked.at(-1)?.method).toBe('DescribeNamespace');
});

it('counts each try of a call that is repeated', async () => {
  const { count, counted } = await temporal({ codes: [14] });
  await count();
  expect(counted).toEqual([
    ['count', 'unavailable'],
    ['count', 'ok'],
  ]);
});

it('ends a call that has no turn before its deadline as gRPC does, and sends it to nobody', async () => {
  const { count, counted, asked } = await temporal({ perSecond: 0.5 });
  await count();
  await expect(count(100)).rejects.toMatchObject({ cause: { code: 4 } });
  expect(counted).toEqual([
    ['count', 'ok'],
    ['count', 'held'],
  ]);
  expect(asked).toHaveLength(1);
});

it('answers a call that waited', async () => {
  const { count, counted } = await temporal({ perSecond: 5 });
  await Promise.all(Array.from({ length: 12 }, () => count()));
  expect(counted).toHaveLength(12);
});

it('lets nobody see who comes first', async () => {
  const { client, count, asked } = await temporal();
  await first(client, count);
  expect(asked[0]?.headers).not.toContain('reelkit-first');
});
