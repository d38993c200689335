// LiveKit's own records of egresses, written as a worker writes them: IOInfo on LiveKit's Redis. One process speaks for many
// recordings; the order of one recording's states is its workflow's.
import type { EgressInfo } from '@livekit/protocol';
import type { RpcClient } from '../bus/client.ts';

const CALL_MS = 2_000;

export interface LiveKitRecords {
  /** `egress_started`. Of a record that LiveKit has: does nothing. @throws when LiveKit does not answer */
  create(info: EgressInfo): Promise<void>;
  /** `egress_updated`, or `egress_ended`. @throws when LiveKit does not answer */
  update(info: EgressInfo): Promise<void>;
}

export function createLiveKitRecords(client: RpcClient): LiveKitRecords {
  async function tell(method: 'CreateEgress' | 'UpdateEgress', info: EgressInfo): Promise<void> {
    const reply = await client.call({
      service: 'IOInfo',
      method,
      request: info.toBinary(),
      timeoutMs: CALL_MS,
      claimTimeoutMs: CALL_MS,
    });
    if (!reply.ok)
      throw new Error(`LiveKit did not take ${method} of ${info.egressId}: ${reply.code} ${reply.message}`);
  }
  return { create: (info) => tell('CreateEgress', info), update: (info) => tell('UpdateEgress', info) };
}
