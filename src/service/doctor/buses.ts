// Are the two Redis the right ones, and who listens there? Looks and asks only: no request is ever granted, so nothing starts.
import { RoomCompositeEgressRequest } from '@livekit/protocol';
import { createRpcClient } from '../../bus/client.ts';
import { isReelkitServer, newRequestId } from '../../bus/ids.ts';
import { requestChannel } from '../../bus/topics.ts';
import type { BusTransport } from '../../bus/transport.ts';
import { type Installation, otherInstallations, tellOf } from '../../livekit/installations.ts';
import { StartMessage } from '../../livekit/request/index.ts';
import { type CheckResult, failed, passed } from './result.ts';

export const LIVEKITS_REDIS = "LiveKit's Redis";
export const WORKERS_REDIS = "workers' Redis";

export interface BusesToCheck {
  /** Or why there is none. */
  livekit: BusTransport | Error;
  workers: BusTransport | Error;
  /** Whom the configuration belongs to; undefined when Temporal could not say. */
  own?: Installation | undefined;
}

/** A message on one server arrives in a millisecond; claims come as fast. */
const WAIT_MS = 500;
const START = { service: 'EgressInternal', method: 'StartEgress' };
const RECORDS = requestChannel({ service: 'IOInfo', method: 'CreateEgress' });
/** Served by LiveKit, asked by no worker, and no business of Reelkit's. */
const LIVEKIT_ALONE = requestChannel({ service: 'IOInfo', method: 'GetEgress' });

export async function checkBuses({ livekit, workers, own }: BusesToCheck, waitMs = WAIT_MS): Promise<CheckResult[]> {
  const isOne = !(livekit instanceof Error) && !(workers instanceof Error) && (await isSame(livekit, workers, waitMs));
  return Promise.all([
    report(LIVEKITS_REDIS, livekit, 'livekit.redis (LIVEKIT_REDIS_ADDRESS)', (bus) => lookAtLiveKits(bus, own, waitMs)),
    report(WORKERS_REDIS, workers, 'workers.redis (WORKERS_REDIS_ADDRESS)', (bus) => lookAtWorkers(bus, own, isOne)),
  ]);
}

interface Findings {
  found: string[];
  problems: string[];
}

async function report(
  name: string,
  bus: BusTransport | Error,
  key: string,
  look: (bus: BusTransport) => Promise<Findings>,
): Promise<CheckResult> {
  const problem = (error: Error) => failed(name, `${error.message}: check ${key}, and that Redis runs`);
  if (bus instanceof Error) return problem(bus);
  try {
    const { found, problems } = await look(bus);
    return problems.length > 0 ? failed(name, problems.join('; ')) : passed(name, found.join('; '));
  } catch (error) {
    return problem(error instanceof Error ? error : new Error(String(error)));
  }
}

async function lookAtLiveKits(bus: BusTransport, own: Installation | undefined, waitMs: number): Promise<Findings> {
  const [others, livekits, listeners] = await Promise.all([
    otherInstallations(bus, own),
    bus.subscribers(RECORDS),
    bus.subscribers(requestChannel(START)),
  ]);
  const claims = await claimsOfStart(bus, listeners, waitMs);
  const reelkits = claims.filter(isReelkitServer).length;
  const plain = Math.max(listeners, claims.length) - reelkits;
  return {
    found: [
      `${count(livekits, 'LiveKit server')} ${livekits === 1 ? 'listens' : 'listen'}`,
      reelkits === 0
        ? 'no Reelkit takes requests at the moment'
        : `${count(reelkits, 'Reelkit')} and nobody else takes requests`,
    ],
    problems: [
      ...(livekits === 0
        ? [
            'no LiveKit listens here: livekit.redis must be the server in the `redis` section of livekit.yaml, and LiveKit must run',
          ]
        : []),
      ...(plain > 0 ? [plainWorkers(plain, reelkits)] : []),
      ...(others.length > 0 ? [tellOf(others, 'it')] : []),
    ],
  };
}

/** A Reelkit that cannot reach Temporal claims nothing either, and looks like a worker from here. */
function plainWorkers(plain: number, reelkits: number): string {
  const unless = reelkits === 0 ? ' (unless it is Reelkit without Temporal: see its /readyz)' : '';
  return `${count(plain, 'listener')} beside Reelkit ${plain === 1 ? 'takes' : 'take'} LiveKit's requests, which are then not durable${unless}: give each such worker a cluster_id and the workers' Redis`;
}

/** On a busy machine a claim may come late. */
const ASKED_AT_MOST = 3;

/** Who would take a start now: asked again while fewer claim than listen. No claim is granted, so nobody does. */
async function claimsOfStart(bus: BusTransport, listeners: number, waitMs: number): Promise<string[]> {
  const client = await createRpcClient(bus);
  const claims = new Set<string>();
  const value = new RoomCompositeEgressRequest();
  const request = new StartMessage({ egressId: 'EG_doctor', request: { case: 'roomComposite', value } }).toBinary();
  const note = ({ serverId }: { serverId: string }) => {
    claims.add(serverId);
    return false;
  };
  try {
    for (let asked = 0; asked === 0 || (asked < ASKED_AT_MOST && claims.size < listeners); asked += 1)
      await client.call({ ...START, request, timeoutMs: waitMs, claimTimeoutMs: waitMs, choose: note });
    return [...claims];
  } finally {
    await client.close();
  }
}

async function lookAtWorkers(bus: BusTransport, own: Installation | undefined, isLiveKits: boolean): Promise<Findings> {
  if (isLiveKits) {
    const problem =
      "is the same server as LiveKit's, where messages reach every database, so that LiveKit answers the workers itself: give workers.redis a server of its own";
    return { found: [], problems: [problem] };
  }
  const [others, livekits, reelkits, unnamed, topics] = await Promise.all([
    otherInstallations(bus, own),
    bus.subscribers(LIVEKIT_ALONE),
    bus.subscribers(RECORDS),
    bus.subscribers(requestChannel(START)),
    bus.channels(requestChannel({ ...START, topic: '*' })),
  ]);
  return {
    found: [
      `its own server; ${count(topics.length, 'worker')} ${topics.length === 1 ? 'takes' : 'take'} starts`,
      `${count(reelkits, 'Reelkit')} ${reelkits === 1 ? 'hears' : 'hear'} their reports`,
    ],
    problems: [
      ...(others.length > 0 ? [tellOf(others, 'it')] : []),
      ...(livekits > 0
        ? [
            `${count(livekits, 'LiveKit server')} ${livekits === 1 ? 'listens' : 'listen'} here and answers the workers in Reelkit's place: give workers.redis a server that no livekit.yaml names`,
          ]
        : []),
      ...(unnamed > 0
        ? [
            `${count(unnamed, 'worker')} without a cluster_id ${unnamed === 1 ? 'is' : 'are'} never sent anything: give each one of its own`,
          ]
        : []),
    ],
  };
}

/** By a message, because databases, ports and addresses tell nothing: does it arrive on the other side? */
async function isSame(one: BusTransport, other: BusTransport, waitMs: number): Promise<boolean> {
  const channel = `reelkit:doctor:${newRequestId()}`;
  let arrived: () => void = () => undefined;
  const arrival = new Promise<boolean>((resolve) => {
    arrived = () => resolve(true);
  });
  let timer: NodeJS.Timeout | undefined;
  try {
    const unsubscribe = await other.subscribe(channel, () => arrived());
    await one.publish(channel, new Uint8Array([1]));
    const silence = new Promise<boolean>((resolve) => {
      timer = setTimeout(resolve, waitMs, false);
    });
    const same = await Promise.race([arrival, silence]);
    await unsubscribe();
    return same;
  } catch {
    // Whichever is away says so itself.
    return false;
  } finally {
    clearTimeout(timer);
  }
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
