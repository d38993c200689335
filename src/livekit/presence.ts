// Who lives on the workers' Redis: a worker listens on its own topic for starts, an egress on its own id for its stop, and both
// subscriptions end with their process. Also the cordons and doubts, marks by which all processes know whom to send nothing.
import { ANY_TOPIC, requestChannel, topicOf } from '../bus/topics.ts';
import type { BusTransport } from '../bus/transport.ts';
import {
  DOUBT_CODES,
  DOUBT_REMEMBERED_MS,
  type Doubt,
  type DoubtCode,
  judgeRun,
  nextDoubt,
  type Run,
} from '../fleet/doubt.ts';

export interface Presence {
  /** Topics of workers that take starts; one that drains is none of them. */
  workers(): Promise<Set<string>>;
  /** Worker-side ids of the egresses that live. */
  egresses(): Promise<Set<string>>;
  /** Nothing is dispatched to this worker any more, by nobody, for as long as the mark is renewed. */
  cordon(topic: string, ttlMs: number): Promise<void>;
  uncordon(topic: string): Promise<void>;
  /** Those of them that are cordoned. */
  cordoned(topics: readonly string[]): Promise<Set<string>>;
  /** An operator wants it to end: what it records goes on elsewhere. Until it has gone, or for a day. */
  drain(topic: string): Promise<void>;
  /** Those of them that are to end so. */
  drained(topics: readonly string[]): Promise<Set<string>>;
  /** All processes pass it over for a while, and the fleet names it. */
  doubt(topic: string, code: DoubtCode): Promise<void>;
  /** It takes starts and records, or is forgiven. */
  trust(topic: string): Promise<void>;
  /** This worker accepted that start. */
  began(egressId: string, topic: string): Promise<void>;
  /** How it went: what fails at once casts doubt on its worker, what lasts clears it. */
  ended(egressId: string, run: Omit<Run, 'livedMs'>): Promise<void>;
  doubts(topics: readonly string[]): Promise<Map<string, Doubt>>;
  /**
   * Changes whenever the connection was made anew: whoever listened before may not listen again yet. NaN, which equals nothing,
   * while it is being made.
   */
  epoch(): number;
}

const STARTS = requestChannel({ service: 'EgressInternal', method: 'StartEgress', topic: ANY_TOPIC });
const STOPS = requestChannel({ service: 'EgressHandler', method: 'StopEgress', topic: ANY_TOPIC });
const CORDON_KEY = 'reelkit:cordon:';
const DRAIN_KEY = 'reelkit:drain:';
/** Longer than any recording. */
const DRAIN_MS = 86_400_000;
const DOUBT_KEY = 'reelkit:doubt:';
const BEGAN_KEY = 'reelkit:began:';
/** What has lasted for so long says nothing about what its worker does now. */
const BEGAN_MS = 900_000;

/** What presence is read from, and cordons are written to. */
export type PresenceBus = Pick<BusTransport, 'channels' | 'setKey' | 'getKeys' | 'deleteKey' | 'health'>;

export function createPresence(bus: PresenceBus, now: () => number = Date.now): Presence {
  const topicsOf = async (pattern: string) => {
    const channels = await bus.channels(pattern);
    return new Set(channels.flatMap((channel) => topicOf(channel) ?? []));
  };
  const marksOf = async (prefix: string, topics: readonly string[]) => {
    const marks = topics.length === 0 ? [] : await bus.getKeys(topics.map((topic) => prefix + topic));
    return new Map(topics.flatMap((topic, index) => (marks[index] == null ? [] : [[topic, marks[index]] as const])));
  };
  const doubts = async (topics: readonly string[]) => {
    const marks = await marksOf(DOUBT_KEY, topics);
    return new Map([...marks].flatMap(([topic, mark]) => readDoubt(mark).map((doubt) => [topic, doubt] as const)));
  };
  const doubt = async (topic: string, code: DoubtCode) => {
    const next = nextDoubt((await doubts([topic])).get(topic), code, now());
    await bus.setKey(DOUBT_KEY + topic, JSON.stringify(next), next.untilMs - now() + DOUBT_REMEMBERED_MS[code]);
  };
  const trust = (topic: string) => bus.deleteKey(DOUBT_KEY + topic);
  return {
    workers: () => topicsOf(STARTS),
    egresses: () => topicsOf(STOPS),
    cordon: (topic, ttlMs) => bus.setKey(CORDON_KEY + topic, '1', ttlMs),
    uncordon: (topic) => bus.deleteKey(CORDON_KEY + topic),
    cordoned: async (topics) => new Set((await marksOf(CORDON_KEY, topics)).keys()),
    drain: (topic) => bus.setKey(DRAIN_KEY + topic, '1', DRAIN_MS),
    drained: async (topics) => new Set((await marksOf(DRAIN_KEY, topics)).keys()),
    doubt,
    trust,
    began: (egressId, topic) => bus.setKey(BEGAN_KEY + egressId, JSON.stringify([topic, now()]), BEGAN_MS),
    async ended(egressId, run) {
      const [mark] = await bus.getKeys([BEGAN_KEY + egressId]);
      const began = mark == null ? undefined : readBegan(mark);
      if (!began) return;
      await bus.deleteKey(BEGAN_KEY + egressId);
      const verdict = judgeRun({ ...run, livedMs: now() - began.atMs });
      if (verdict === 'fails') await doubt(began.topic, 'fails');
      if (verdict === 'works') await trust(began.topic);
    },
    doubts,
    epoch() {
      const { ok, reconnects } = bus.health();
      return ok ? reconnects : Number.NaN;
    },
  };
}

/** Empty for what is none: an older or newer process may have written it. */
function readDoubt(mark: string): [Doubt] | [] {
  try {
    const { code, times, untilMs } = JSON.parse(mark) as Partial<Doubt>;
    const known = DOUBT_CODES.find((one) => one === code);
    return known && Number.isFinite(times) && Number.isFinite(untilMs)
      ? [{ code: known, times, untilMs } as Doubt]
      : [];
  } catch {
    return [];
  }
}

function readBegan(mark: string): { topic: string; atMs: number } | undefined {
  try {
    const [topic, atMs] = JSON.parse(mark) as [unknown, unknown];
    return typeof topic === 'string' && typeof atMs === 'number' ? { topic, atMs } : undefined;
  } catch {
    return undefined;
  }
}

export interface Gone {
  /** Topics. */
  workers: string[];
  egresses: string[];
}

type PresenceKind = 'worker' | 'egress';

export interface PresenceWatch {
  stop(): void;
}

export interface PresenceWatchOptions {
  presence: Pick<Presence, 'workers' | 'egresses' | 'epoch'>;
  everyMs?: number;
  /** What one look found gone; each is told once. */
  onGone(gone: Gone): void;
  /** Topics of workers that are new since the look before. */
  onCame?(workers: string[]): void;
  now?: () => number;
}

const EVERY_MS = 250;

/** Looks again and again, and tells what vanished and which workers are new. Each process has one; it never fails. */
export function watchPresence({
  presence,
  everyMs = EVERY_MS,
  onGone,
  onCame,
  now = Date.now,
}: PresenceWatchOptions): PresenceWatch {
  let seen = NOTHING_SEEN;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

  async function compare(): Promise<void> {
    const epochBefore = presence.epoch();
    const found = await Promise.all([presence.workers(), presence.egresses()]).catch(() => undefined);
    if (stopped) return;
    const epochs = { epochBefore, epochAfter: presence.epoch() };
    const { gone, came, ...next } = notice(seen, found && { worker: found[0], egress: found[1], ...epochs }, now());
    seen = next;
    const of = (wanted: PresenceKind) => gone.filter(({ kind }) => kind === wanted).map(({ id }) => id);
    if (came.length > 0) onCame?.(came);
    if (gone.length > 0) onGone({ workers: of('worker'), egresses: of('egress') });
    timer = setTimeout(() => void compare(), everyMs);
    timer.unref();
  }

  void compare();
  return {
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}

export interface PresenceLook {
  worker: ReadonlySet<string>;
  egress: ReadonlySet<string>;
  /** They differ when the connection was made anew meanwhile: nobody knows which one answered. */
  epochBefore: number;
  epochAfter: number;
}

interface Seen {
  /** The last look worked. */
  sure: boolean;
  epoch: number;
  /** Per kind: what lives, and since when it is missing in looks that prove nothing. */
  worker: ReadonlyMap<string, number | undefined>;
  egress: ReadonlyMap<string, number | undefined>;
}

export const NOTHING_SEEN: Seen = { sure: false, epoch: -1, worker: new Map(), egress: new Map() };
/** Whoever lost the connection to a Redis that was restarted listens again within this. */
const RESUBSCRIBE_MS = 1_000;

/**
 * One look more. What is missing is gone at once when this look and the one before can be trusted; after an outage, a new
 * connection, or when several workers vanish and none is left (a Redis that was restarted), only if it is still missing later.
 */
export function notice(seen: Seen, look: PresenceLook | undefined, nowMs: number) {
  if (!look) return { ...seen, sure: false, gone: [], came: [] };
  const unsure = !seen.sure || seen.epoch !== look.epochAfter || (look.worker.size === 0 && living(seen.worker) > 1);
  const gone: { kind: PresenceKind; id: string }[] = [];
  const after = (kind: PresenceKind) => {
    const next = new Map<string, number | undefined>([...look[kind]].map((id) => [id, undefined]));
    for (const [id, missingSinceMs] of seen[kind]) {
      if (next.has(id)) continue;
      // A look that proves nothing begins the wait anew.
      if (unsure) next.set(id, nowMs);
      else if (missingSinceMs === undefined || nowMs - missingSinceMs >= RESUBSCRIBE_MS) gone.push({ kind, id });
      else next.set(id, missingSinceMs);
    }
    return next;
  };
  const came = seen.sure ? [...look.worker].filter((topic) => !seen.worker.has(topic)) : [];
  return { sure: true, epoch: look.epochBefore, worker: after('worker'), egress: after('egress'), gone, came };
}

function living(ids: ReadonlyMap<string, number | undefined>): number {
  return [...ids.values()].filter((missingSinceMs) => missingSinceMs === undefined).length;
}
