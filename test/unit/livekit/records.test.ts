// LiveKit's own records: told as a worker tells them, and a LiveKit that does not take one is an error for who tells it.
import { EgressInfo, EgressStatus } from '@livekit/protocol';
import { describe, expect, it } from 'vitest';
import { RpcError } from '../../../src/bus/server.ts';
import { createLiveKitRecords } from '../../../src/livekit/records.ts';
import { makeBed, RECORDING } from './bed.ts';

const info = new EgressInfo({ egressId: RECORDING, status: EgressStatus.EGRESS_ACTIVE });

async function livekit(refusal?: RpcError) {
  const { broker, server, client } = makeBed();
  const told: [string, EgressInfo][] = [];
  for (const method of ['CreateEgress', 'UpdateEgress'])
    await server().serveQueue({
      service: 'IOInfo',
      method,
      isMine: () => true,
      async handle(request) {
        if (refusal) throw refusal;
        told.push([method, EgressInfo.fromBinary(request)]);
        return new Uint8Array();
      },
    });
  return { broker, told, records: createLiveKitRecords(await client()) };
}

describe("LiveKit's record", () => {
  it('is made and changed over IOInfo', async () => {
    const { told, records } = await livekit();
    await records.create(info);
    await records.update(info);
    expect(told).toEqual([
      ['CreateEgress', info],
      ['UpdateEgress', info],
    ]);
  });

  it('that LiveKit refuses is an error with its code and words', async () => {
    const { records } = await livekit(new RpcError('not_found', 'no such room'));
    await expect(records.update(info)).rejects.toThrow(
      `LiveKit did not take UpdateEgress of ${RECORDING}: not_found no such room`,
    );
  });

  it('that nobody takes, or that cannot be sent, is an error', async () => {
    const { broker, records } = await livekit();
    broker.setAway(true);
    await expect(records.create(info)).rejects.toThrow(
      `LiveKit did not take CreateEgress of ${RECORDING}: unavailable`,
    );
  });
});
