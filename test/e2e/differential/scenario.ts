// What a scenario may do, the same on both sides: ask through the SDK, which is kept, and wait for what LiveKit shows, which is not.
import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import { type EgressInfo, EgressStatus } from '@livekit/protocol';
import { AccessToken, type VideoGrant } from 'livekit-server-sdk';
import { createLiveKit } from '../../support/stack-livekit.ts';
import { waitFor } from '../../support/stack-wait.ts';
import type { Hook, Hooks } from './hooks.ts';
import { normaliser } from './normalise.ts';
import type { Answer, LiveKitAddress, Method, Sdk } from './sdk.ts';

export interface Side {
  livekit: LiveKitAddress;
  recordingsDir: string;
  hooks: Hooks;
}

export interface Play {
  /** Open; its name is the same on both sides. */
  readonly room: string;
  readonly hooksUrl: string;
  /** A path where the worker may write. */
  file(name: string): string;
  ask(step: string, method: Method, request: JsonObject, token?: string): Promise<Answer>;
  /** As `ask`, kept with whether LiveKit's own 3 s passed. */
  askTimed(step: string, method: Method, request: JsonObject): Promise<Answer>;
  /** @returns the id, unless it was refused */
  start(method: Method, request: JsonObject): Promise<string | undefined>;
  until(egressId: string, holds: (info: EgressInfo) => boolean): Promise<void>;
  untilStatus(egressId: string, ...statuses: (keyof typeof EgressStatus)[]): Promise<void>;
  closeRoom(): Promise<void>;
  token(grant?: VideoGrant, secret?: string): Promise<string>;
}

export interface Scenario {
  name: string;
  /** Part of the room's name, by which the stand-in worker's faults are chosen. */
  fault?: string;
  play(play: Play): Promise<void>;
}

/** By scenario, then by step: everything an application can see. */
export type Trace = Record<string, Record<string, JsonValue>>;

const AT_ONCE = 8;
const LIMIT_MS = 30_000;
/** Between what takes milliseconds and what takes LiveKit's 3 s. */
const SLOW_MS = 2_500;

const ENDS = ['EGRESS_COMPLETE', 'EGRESS_FAILED', 'EGRESS_ABORTED', 'EGRESS_LIMIT_REACHED'] as const;
export const isEnd = ({ status }: EgressInfo) => ENDS.some((end) => EgressStatus[end] === status);

/** Plays all of them, some at once; reads the webhooks of all when the last is over, so that one too many is seen. */
export async function traceOf(side: Side, sdk: Sdk, scenarios: readonly Scenario[], label: string): Promise<Trace> {
  const left = [...scenarios];
  const played: [string, Played][] = [];
  const playSome = async () => {
    for (let next = left.shift(); next; next = left.shift())
      played.push([next.name, await playOne(side, sdk, next, label)]);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, playSome));
  const trace: Trace = {};
  for (const [name, { steps, started, normal }] of played) {
    trace[name] = steps;
    for (const [index, egressId] of started.entries())
      steps[`webhooks of ${index + 1}`] = normal(
        await told(sdk, await allOf(side.hooks, egressId).catch(() => side.hooks.of(egressId))),
      );
  }
  return trace;
}

interface Played {
  steps: Trace[string];
  started: string[];
  normal(value: JsonValue): JsonValue;
}

async function playOne(side: Side, sdk: Sdk, { name, fault = '', play }: Scenario, label: string): Promise<Played> {
  const { livekit, recordingsDir, hooks } = side;
  const { rooms, egresses } = createLiveKit(livekit);
  const room = `${fault}${label}-${name.replaceAll(/\W+/g, '-')}`;
  await rooms.createRoom({ name: room, emptyTimeout: 3_600, departureTimeout: 3_600 });
  const steps: Trace[string] = {};
  const started: string[] = [];
  const normal = normaliser({ recordingsDir, hooksUrl: hooks.url });
  const keep = (step: string, answer: Answer) => {
    if (step in steps) throw new Error(`${name} has two steps called ${step}`);
    steps[step] = normal(ordered(answer as JsonObject, started));
    return answer;
  };
  const infoOf = async (egressId: string) => (await egresses.listEgress({ egressId }))[0];
  const until = async (egressId: string, holds: (info: EgressInfo) => boolean) => {
    const look = () => infoOf(egressId);
    await waitFor(`${name}: ${egressId}`, look, (info) => info !== undefined && holds(info), LIMIT_MS);
  };
  const playing = play({
    room,
    hooksUrl: hooks.url,
    file: (file) => `${recordingsDir}/${room}/${file}`,
    ask: async (step, method, request, token) =>
      keep(step, await sdk.ask({ method, request, ...(token === undefined ? {} : { token }) })),
    async askTimed(step, method, request) {
      const sinceMs = performance.now();
      const answer = keep(step, await sdk.ask({ method, request }));
      steps[`${step}, it took`] = performance.now() - sinceMs > SLOW_MS ? "LiveKit's 3 s" : 'no time';
      return answer;
    },
    async start(method, request) {
      const answer = await sdk.ask({ method, request });
      const id = 'ok' in answer ? String(answer.ok.egressId) : undefined;
      if (id !== undefined) started.push(id);
      keep(started.length > 1 ? `start ${started.length}` : 'start', answer);
      return id;
    },
    until,
    untilStatus: (egressId, ...statuses) =>
      until(egressId, ({ status }) => statuses.some((s) => EgressStatus[s] === status)),
    closeRoom: () => rooms.deleteRoom(room),
    async token(grant, secret = livekit.apiSecret) {
      const token = new AccessToken(livekit.apiKey, secret, { identity: 'application', ttl: '10m' });
      if (grant) token.addGrant(grant);
      return token.toJwt();
    },
  });
  // The other scenarios are worth seeing, too.
  await playing.catch((error: Error) => {
    steps['it went no further'] = error.message;
  });
  return { steps, started, normal };
}

/** LiveKit lists in no order. */
function ordered(answer: JsonObject, started: readonly string[]): JsonObject {
  const { items } = (answer.ok ?? {}) as { items?: JsonObject[] };
  if (!items) return answer;
  const place = ({ egressId }: JsonObject) => started.indexOf(String(egressId));
  return { ok: { items: items.toSorted((a, b) => place(a) - place(b)) } };
}

/** Of every receiver, its end included, and whatever came after. */
async function allOf(hooks: Hooks, egressId: string): Promise<Hook[]> {
  const receivers = () => new Set(hooks.of(egressId).map(({ path }) => path)).size;
  await waitFor(
    `the last webhook of ${egressId}`,
    async () => hooks.of(egressId).map(({ path, event }) => `${path} ${event}`),
    (events) => events.length > 0 && events.filter((event) => event.endsWith('egress_ended')).length >= receivers(),
    LIMIT_MS,
  );
  return hooks.of(egressId);
}

/** By receiver: their order, and each as the SDK reads it once it has found the signature good. */
async function told(sdk: Sdk, hooks: readonly Hook[]): Promise<JsonObject> {
  const byReceiver: Record<string, { order: string[]; bodies: Record<string, JsonValue> }> = {};
  for (const { path, event, egress, body, authorization, contentType } of hooks) {
    byReceiver[path] ??= { order: [], bodies: {} };
    const { order, bodies } = byReceiver[path];
    const what = `${event} ${String(egress.status ?? 'EGRESS_STARTING').replace('EGRESS_', '')}`;
    const answer = await sdk.ask({ method: 'ReceiveWebhook', request: { body, authorization } });
    // Of updates that follow each other LiveKit may keep the last one back until the next: a second, equal one is none.
    if (what !== 'egress_updated ACTIVE' || order.at(-1) !== what) order.push(what);
    bodies[`${what} ${order.filter((one) => one === what).length}`] = { contentType, ...(answer as JsonObject) };
  }
  return byReceiver as unknown as JsonObject;
}
