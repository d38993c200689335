// Does each worker take what it is sent? It gets a start that every worker must refuse, over the path that recordings take: request,
// claim, grant, answer. Nothing is recorded, no record is made, and nobody is told of it.
import { TrackEgressRequest } from '@livekit/protocol';
import { createRpcClient, type RpcClient, type RpcReply } from '../../bus/client.ts';
import type { BusTransport } from '../../bus/transport.ts';
import type { ObservedWorker } from '../../fleet/observation.ts';
import { StartMessage } from '../../livekit/request/index.ts';
import { type CheckResult, failed, passed } from './result.ts';

const ANSWER_MS = 5_000;
const CLAIM_MS = 1_000;
/** Of a large fleet a few tell; each is busy with it for a moment. */
const MOST_ASKED = 20;
const START = { service: 'EgressInternal', method: 'StartEgress' };
const REMEDY = 'See its log; check redis, cluster_id, api_key and api_secret in its configuration, and restart it';

/** The cheapest kind, of no room, no track and no output: livekit/egress refuses it before it makes a record or a process. */
function refusedByAll(): Uint8Array {
  const value = new TrackEgressRequest();
  return new StartMessage({ egressId: 'EG_doctor', request: { case: 'track', value } }).toBinary();
}

/** @param workers as they were seen a moment ago */
export async function checkStarts(
  name: string,
  bus: BusTransport,
  workers: readonly ObservedWorker[],
): Promise<CheckResult> {
  const asked = workers.filter(takesStarts).slice(0, MOST_ASKED);
  if (asked.length === 0) return passed(name, 'no worker to send one to at the moment: not tested');
  const client = await createRpcClient(bus);
  try {
    const found = await Promise.all(asked.map((worker) => tryStart(client, worker)));
    const problems = found.flatMap(({ problem }) => problem ?? []);
    if (problems.length > 0) return failed(name, `${problems.join('; ')}. ${REMEDY}`);
    const full = found.filter(({ full }) => full).length;
    const tested = asked.length - full;
    const untested = [
      ...(full > 0 ? [`${full} had no room for it`] : []),
      ...(workers.length > asked.length ? [`${workers.length - asked.length} not asked`] : []),
    ];
    return passed(name, [`${tested} took a start and refused it, as they should`, ...untested].join('; '));
  } finally {
    await client.close();
  }
}

function takesStarts({ state, topic, cordoned, present }: ObservedWorker): boolean {
  return state === 'ready' && topic !== undefined && cordoned !== true && present !== false;
}

async function tryStart(client: RpcClient, { id, topic, egresses }: ObservedWorker) {
  const reply = await client.call({
    ...START,
    topic,
    request: refusedByAll(),
    timeoutMs: ANSWER_MS,
    claimTimeoutMs: CLAIM_MS,
  });
  if (!reply.ok && reply.code === 'no_claim' && egresses.length > 0) return { full: true };
  const problem = problemOf(reply);
  return { full: false, ...(problem ? { problem: `${id} ${problem}` } : {}) };
}

function problemOf(reply: RpcReply): string | undefined {
  if (reply.ok) return 'accepted a start that names nothing to record: is it livekit/egress?';
  switch (reply.code) {
    case 'invalid_argument':
      return undefined;
    case 'no_claim':
      return 'is idle and takes no start';
    case 'deadline_exceeded':
      return `took a start and did not answer in ${ANSWER_MS / 1_000} s`;
    default:
      return `answered a start with "${reply.code}": ${reply.message}`;
  }
}
