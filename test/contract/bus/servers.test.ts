// Several processes of Reelkit's on one Redis: they share the work, none of it is done twice, and one stands in for another.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRpcClient } from '../../../src/bus/client.ts';
import { createRpcServer } from '../../../src/bus/server.ts';
import { endAtExit } from '../../../src/dev/last-resort.ts';
import { waitFor } from '../../support/stack-wait.ts';
import { type Bed, makeBed } from './bed.ts';

const START = { service: 'EgressInternal', method: 'StartEgress' };
const TAKE_OVER_AFTER_MS = 1_000;
let bed: Bed;

beforeAll(async () => {
  bed = await makeBed(['redis']);
});
afterAll(() => bed?.end());

async function makeServers(count: number, handle: (server: number, request: Uint8Array) => void) {
  return Promise.all(
    Array.from({ length: count }, async (_, i) =>
      createRpcServer(await bed.livekitBus()).serve({
        ...START,
        affinity: () => 1,
        takeOverAfterMs: TAKE_OVER_AFTER_MS,
        handle: async (request) => {
          handle(i, request);
          return request;
        },
      }),
    ),
  );
}

describe('two servers', () => {
  it('share 200 requests: each is answered, and handled once', async () => {
    const handled: string[][] = [[], []];
    const servers = await makeServers(2, (server, request) => handled[server]?.push(Buffer.from(request).toString()));
    const client = await createRpcClient(await bed.livekitBus());
    const names = Array.from({ length: 200 }, (_, i) => `request ${i}`);
    const replies = await Promise.all(
      names.map((name) => client.call({ ...START, request: Buffer.from(name), timeoutMs: 10_000 })),
    );
    expect(replies.map((reply) => reply.ok && Buffer.from(reply.response).toString())).toEqual(names);
    await Promise.all(servers.map((one) => one.stop()));
    expect(handled.flat().sort()).toEqual([...names].sort());
    await client.close();
  });

  it('lose nothing while one of them stops', async () => {
    const handled: string[] = [];
    const [first, second] = await makeServers(2, (_, request) => handled.push(Buffer.from(request).toString()));
    const client = await createRpcClient(await bed.livekitBus());
    const names = Array.from({ length: 100 }, (_, i) => `request ${i}`);
    const call = (name: string) => client.call({ ...START, request: Buffer.from(name), timeoutMs: 10_000 });
    const before = names.slice(0, 50).map(call);
    const stopping = first?.stop();
    const after = names.slice(50).map(call);
    expect((await Promise.all([...before, ...after])).filter(({ ok }) => !ok)).toEqual([]);
    await stopping;
    await second?.stop();
    expect(handled.sort()).toEqual([...names].sort());
    await client.close();
  });
});

describe('a process that is killed between grant and answer', () => {
  it('is replaced by its peer about a second later', async () => {
    const peer = await startPeer(bed.stack.redis.address);
    const [survivor] = await makeServers(1, () => undefined);
    const client = await createRpcClient(await bed.livekitBus());
    const sinceMs = performance.now();
    const calling = client.call({
      ...START,
      request: Buffer.from('x'),
      timeoutMs: 10_000,
      choose: ({ serverId }) => serverId === peer.serverId,
    });
    await peer.untilGranted();
    await peer.kill();
    const reply = await calling;
    expect(reply).toMatchObject({ ok: true });
    expect(reply.serverId).not.toBe(peer.serverId);
    const tookMs = performance.now() - sinceMs;
    expect(tookMs).toBeGreaterThan(TAKE_OVER_AFTER_MS - 100);
    expect(tookMs).toBeLessThan(TAKE_OVER_AFTER_MS + 2_000);
    await survivor?.stop();
    await client.close();
  });
});

async function startPeer(address: string) {
  const script = fileURLToPath(new URL('./hang-when-granted.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', script, address], { stdio: ['ignore', 'pipe', 'inherit'] });
  const forget = endAtExit(() => child.kill('SIGKILL'));
  let output = '';
  child.stdout.on('data', (data) => {
    output += data;
  });
  const said = (what: RegExp) =>
    waitFor(
      `the peer says ${what}`,
      async () => what.exec(output)?.[1] ?? '',
      (found) => found !== '',
      30_000,
    );
  return {
    serverId: await said(/^ready (SRV_\w+)$/m),
    untilGranted: () => said(/^(granted) /m),
    async kill() {
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      forget();
    },
  };
}
