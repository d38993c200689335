// The bus against the newest official psrpc, both ways: with its compression on, and with the claims it offers to leave out.
// Built on demand from tools/psrpc-peer; the first time takes a minute.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { BinaryWriter, WireType } from '@bufbuild/protobuf';
import { EgressInfo, EgressStatus } from '@livekit/protocol';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRpcServer, RpcError } from '../../../src/bus/server.ts';
import { endAtExit } from '../../../src/dev/last-resort.ts';
import { waitFor } from '../../support/stack-wait.ts';
import { buildGoTool } from '../../support/tools.ts';
import { type Bed, makeBed, makeWorkersSide } from './bed.ts';

let bed: Bed;
let binary: string;

beforeAll(async () => {
  binary = await buildGoTool('psrpc-peer');
  bed = await makeBed(['workersRedis']);
});
afterAll(() => bed?.end());

describe.each([
  ['as it is', []],
  ['with compression', ['-compress']],
])('the newest psrpc, %s', (_, options) => {
  const args = (...rest: string[]) => ['-redis', bed.stack.workersRedis.address, ...options, ...rest];

  it('serves our caller, and gets the fields it does not know', async () => {
    const [topic, egressId] = ['w-peer', 'EG_peer'];
    const peer = await startPeer(args('serve', topic, egressId));
    const bus = await bed.workersBus();
    const workers = await makeWorkersSide(bus);
    const request = requestWithUnknownField(egressId);
    await waitFor(
      'the peer listens',
      () => bus.channels('Egress*|REQ'),
      (channels) => channels.length === 3,
    );
    expect(await workers.dryRun(topic, request)).toMatchObject({ affinity: 0.5 });
    const started = await workers.start({ topic, request });
    expect(started).toMatchObject({ ok: true });
    expect(started.ok && EgressInfo.fromBinary(started.response).egressId).toBe(egressId);
    expect(await workers.active()).toHaveLength(1);
    expect(await workers.stop(egressId)).toMatchObject({ ok: true });
    await workers.end();
    await peer.kill();
  });

  it('calls our server, broadcast and queue', async () => {
    const bus = await bed.workersBus();
    const workers = await makeWorkersSide(bus);
    const server = createRpcServer(bus);
    const info = (egressId: string, status: EgressStatus) => new EgressInfo({ egressId, status }).toBinary();
    const served = [
      await server.serve({
        service: 'EgressInternal',
        method: 'StartEgress',
        affinity: () => 1,
        handle: async () => info('EG_1', EgressStatus.EGRESS_STARTING),
      }),
      await server.serveQueue({
        service: 'EgressHandler',
        method: 'StopEgress',
        topic: '*',
        isMine: () => true,
        handle: async (_, { topic = '' }) => {
          if (topic === 'EG_ended') throw new RpcError('failed_precondition', 'it has ended');
          return info(topic, EgressStatus.EGRESS_ENDING);
        },
      }),
    ];
    const answer = async (...rest: string[]) => (await execa(binary, args(...rest), { reject: false })).stdout;
    expect(await answer('start', 'EG_1')).toBe('ok EG_1 EGRESS_STARTING');
    expect(await answer('stop', 'EG_2')).toBe('ok EG_2 EGRESS_ENDING');
    expect(await answer('stop', 'EG_ended')).toBe('error failed_precondition it has ended');
    expect(await answer('create', 'EG_3')).toBe('ok EG_3 EGRESS_STARTING');
    expect(workers.statusesOf('EG_3')).toHaveLength(1);
    for (const one of served) await one.stop();
    await workers.end();
  });
});

function requestWithUnknownField(egressId: string): Uint8Array {
  return new BinaryWriter()
    .tag(1, WireType.LengthDelimited)
    .string(egressId)
    .tag(999, WireType.LengthDelimited)
    .string('of a later version')
    .finish();
}

async function startPeer(args: string[]) {
  const child = spawn(binary, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const forget = endAtExit(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  return {
    async kill() {
      child.kill('SIGKILL');
      await once(child, 'exit');
      forget();
    },
  };
}
