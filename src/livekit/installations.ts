// Which installations of Reelkit are on a Redis: each says so by a subscription that ends with its process. Two on one LiveKit take
// each other's requests at random, and two on one Redis of workers hear each other's reports. It looks and tells, and touches nothing.
import type { BusTransport, Unsubscribe } from '../bus/transport.ts';

/** What shares a Temporal namespace is one installation, however many processes it has. */
export interface Installation {
  /** The namespace's own id: names repeat from one Temporal to another. */
  id: string;
  namespace: string;
}

const PREFIX = 'reelkit:installation:';
const MOST_TOLD = 20;

export function announce(bus: Pick<BusTransport, 'subscribe'>, installation: Installation): Promise<Unsubscribe> {
  return bus.subscribe(channelOf(installation), () => undefined);
}

/** @param own undefined: nobody knows which one is asking, so that all count when there are several */
export async function otherInstallations(
  bus: Pick<BusTransport, 'channels'>,
  own: Installation | undefined,
): Promise<Installation[]> {
  const found = (await bus.channels(`${PREFIX}*`)).flatMap(read).slice(0, MOST_TOLD);
  if (own) return found.filter(({ id }) => id !== own.id);
  return found.length > 1 ? found : [];
}

/** For people. */
export function tellOf(others: readonly Installation[], redis: string): string {
  const names = others.map(({ namespace, id }) => `"${namespace}" (${id})`).join(', ');
  return `another installation of Reelkit is on ${redis}, with the Temporal namespace ${names}: each takes a part of the requests, and knows nothing of the other's recordings. Give each installation a LiveKit and a workers' Redis of its own. After a change of TEMPORAL_NAMESPACE or TEMPORAL_ADDRESS, let the processes with the old one finish what they record, and end them`;
}

function channelOf({ id, namespace }: Installation): string {
  return `${PREFIX}${id}:${namespace}`;
}

/** Whoever can write to Redis can write anything here. */
function read(channel: string): Installation[] {
  const [id = '', ...namespace] = channel.slice(PREFIX.length).split(':');
  return /^[\w-]{1,64}$/.test(id) ? [{ id, namespace: namespace.join(':').slice(0, 255) }] : [];
}
