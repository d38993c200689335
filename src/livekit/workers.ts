// What Reelkit asks of egress workers on their own Redis, where it stands for LiveKit: start this on that worker, stop it, change its
// streams. It chooses no worker and retries nothing.
import { EgressInfo, StopEgressRequest, UpdateStreamRequest } from '@livekit/protocol';
import type { RpcClient, RpcReply } from '../bus/client.ts';
import { messageOf } from '../common/error-message.ts';
import type { DispatchReply } from '../recording/start-outcome.ts';
import { ActiveEgresses, redactText } from './request/index.ts';

/** A worker that does not claim by then is passed over; a live one needs a millisecond. */
const CLAIM_MS = 1_000;
/** From the request to the reply: the worker launches a process for it. Also the deadline on the wire, by the worker's own clock. */
export const DISPATCH_LIMIT_MS = 10_000;
const CALL_MS = 5_000;
/** One that lives answers in milliseconds; nobody knows how many there are. */
const LIST_MS = 1_000;

export interface Workers {
  /** One start on one worker. Never throws: what came back, or did not, is the reply. @param request rpc.StartEgressRequest */
  start(topic: string, request: Uint8Array): Promise<DispatchReply>;
  /** @throws WorkerRefusal, WorkerSilent when no worker runs it, or another error when none could be asked */
  stop(egressId: string): Promise<EgressInfo>;
  /** @throws as `stop` */
  updateStream(change: { egressId: string; add: string[]; remove: string[] }): Promise<EgressInfo>;
  /** Worker-side ids of what runs, by the word of every worker that answers within a second. @throws when none could be asked */
  active(): Promise<Set<string>>;
}

/** The worker's own answer. */
export class WorkerRefusal extends Error {
  /** psrpc's. */
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.name = 'WorkerRefusal';
    this.code = code;
  }
}
/** Nobody answered for this egress. */
export class WorkerSilent extends Error {
  constructor(egressId: string) {
    super(`no worker answers for ${egressId}`);
    this.name = 'WorkerSilent';
  }
}

export function createWorkers(client: RpcClient): Workers {
  async function ask(
    method: 'StopEgress' | 'UpdateStream',
    egressId: string,
    request: Uint8Array,
  ): Promise<EgressInfo> {
    const reply = await client.call({ service: 'EgressHandler', method, topic: egressId, request, timeoutMs: CALL_MS });
    if (reply.ok) return EgressInfo.fromBinary(reply.response);
    if (!reply.granted && couldNotAsk(reply.code)) throw new Error(`the workers could not be asked: ${reply.message}`);
    if (!reply.granted || reply.code === 'deadline_exceeded') throw new WorkerSilent(egressId);
    throw new WorkerRefusal(reply.code, redactText(reply.message));
  }
  return {
    async start(topic, request) {
      const call = { service: 'EgressInternal', method: 'StartEgress', topic, request };
      try {
        return toDispatchReply(await client.call({ ...call, timeoutMs: DISPATCH_LIMIT_MS, claimTimeoutMs: CLAIM_MS }));
      } catch (error) {
        // The request left, or did not: whoever cannot tell says so.
        return { kind: 'no_answer', message: messageOf(error) };
      }
    },
    stop: (egressId) => ask('StopEgress', egressId, new StopEgressRequest({ egressId }).toBinary()),
    updateStream: ({ egressId, add, remove }) =>
      ask(
        'UpdateStream',
        egressId,
        new UpdateStreamRequest({ egressId, addOutputUrls: add, removeOutputUrls: remove }).toBinary(),
      ),
    async active() {
      const question = { service: 'EgressInternal', method: 'ListActiveEgress', request: new Uint8Array() };
      const replies = await client.multi(question, { waitMs: LIST_MS });
      return new Set(replies.flatMap(({ response }) => (response ? idsOf(response) : [])));
    },
  };
}

function toDispatchReply(reply: RpcReply): DispatchReply {
  if (reply.ok) return { kind: 'accepted', atMs: Date.now() };
  const { code, message, granted } = reply;
  if (!granted) return { kind: 'not_granted', message: message || 'it did not claim the start' };
  // Canceled: this process ends, and the worker goes on.
  if (code === 'deadline_exceeded' || code === 'canceled') return { kind: 'no_answer', message };
  return { kind: 'error', code, message: redactText(message) };
}

/** What cannot be read names nothing. */
function idsOf(response: Uint8Array): string[] {
  try {
    return ActiveEgresses.fromBinary(response).egressIds;
  } catch {
    return [];
  }
}

/** The bus is away, or this process ends. */
function couldNotAsk(code: string): boolean {
  return code === 'unavailable' || code === 'canceled';
}
