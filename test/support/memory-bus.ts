// A broker in memory for unit tests of what stands on the bus: as Redis it delivers to whoever listens at that moment, later and
// in order. It can be put away, and it keeps what was published.
import type { BusListener, BusTransport } from '../../src/bus/transport.ts';

export interface MemoryBroker {
  /** Each connection is one process. */
  connect(): BusTransport;
  readonly published: { channel: string; message: Uint8Array }[];
  /** While away, everything is refused and nothing delivered. */
  setAway(away: boolean): void;
}

interface Subscription {
  matches: (channel: string) => boolean;
  name: string;
  listener: BusListener;
}

export function createMemoryBroker({ now = Date.now }: { now?: () => number } = {}): MemoryBroker {
  const subscriptions = new Set<Subscription>();
  const keys = new Map<string, { value: string; untilMs: number }>();
  const published: MemoryBroker['published'] = [];
  let away = false;

  const refuseIfAway = () => {
    if (away) throw new Error('the broker is away');
  };
  const keyOf = (key: string) => {
    const found = keys.get(key);
    return found && found.untilMs > now() ? found.value : null;
  };
  const deliver = (channel: string, message: Uint8Array) => {
    if (away) return;
    for (const one of [...subscriptions]) if (one.matches(channel)) one.listener(message, channel);
  };

  return {
    published,
    setAway: (value) => {
      away = value;
    },
    connect() {
      const own = new Set<Subscription>();
      const listen = async (name: string, matches: Subscription['matches'], listener: BusListener) => {
        refuseIfAway();
        const subscription = { name, matches, listener };
        subscriptions.add(subscription);
        own.add(subscription);
        return async () => void subscriptions.delete(subscription);
      };
      const listening = () => [...subscriptions].map(({ name }) => name);
      return {
        async publish(channel, message) {
          refuseIfAway();
          published.push({ channel, message });
          setImmediate(deliver, channel, Uint8Array.from(message));
        },
        subscribe: (channel, listener) => listen(channel, (one) => one === channel, listener),
        psubscribe: (pattern, listener) => listen(`pattern ${pattern}`, matcherOf(pattern), listener),
        async lock(key, holdMs) {
          refuseIfAway();
          if (keyOf(key) !== null) return false;
          keys.set(key, { value: '1', untilMs: now() + holdMs });
          return true;
        },
        async channels(pattern) {
          refuseIfAway();
          const matches = matcherOf(pattern);
          return [...new Set(listening())].filter((name) => !name.startsWith('pattern ') && matches(name));
        },
        async subscribers(channel) {
          refuseIfAway();
          return listening().filter((name) => name === channel).length;
        },
        async setKey(key, value, ttlMs) {
          refuseIfAway();
          keys.set(key, { value, untilMs: now() + ttlMs });
        },
        async getKeys(wanted) {
          refuseIfAway();
          return wanted.map(keyOf);
        },
        async deleteKey(key) {
          refuseIfAway();
          keys.delete(key);
        },
        health: () =>
          away ? { ok: false, problem: 'the broker is away', reconnects: 0 } : { ok: true, reconnects: 0 },
        async close() {
          for (const subscription of own) subscriptions.delete(subscription);
        },
      };
    },
  };
}

/** Redis' glob, of which the bus uses `*` only. */
function matcherOf(pattern: string): (channel: string) => boolean {
  const expression = pattern.split('*').map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
  const regular = new RegExp(`^${expression.join('.*')}$`, 's');
  return (channel) => regular.test(channel);
}
