// psrpc's caller: request, claims, grant, reply. It works on bytes and knows no service. Without a grant nobody starts anything,
// so every outcome says whether one was given. Nothing here calls twice.
import { messageOf } from '../common/error-message.ts';
import { RpcError, type RpcErrorCode } from './error.ts';
import { newClientId, newRequestId } from './ids.ts';
import { subscribeAll } from './subscribe-all.ts';
import { claimChannel, grantChannel, type RpcName, replyChannel, requestChannel } from './topics.ts';
import type { BusTransport, Unsubscribe } from './transport.ts';
import {
  decodeClaim,
  decodeReply,
  encodeGrant,
  encodeRequest,
  type WireClaim,
  type WireGrant,
  type WireReply,
} from './wire.ts';

export interface RpcClaim {
  serverId: string;
  affinity: number;
}

export interface RpcCall {
  service: string;
  method: string;
  topic?: string | undefined;
  request: Uint8Array;
  /** How long the caller waits. */
  timeoutMs: number;
  /** After it no server may start, by the server's own clock. @default now + timeoutMs */
  expiryMs?: number;
  /** The method is a queue: one server answers, and a refusal before any claim is final. */
  queue?: boolean;
  /** Whether to grant a claim, asked for each until one is granted. @default the first */
  choose?: (claim: RpcClaim) => boolean;
  /** Without a claim to grant within this the call ends with `no_claim`. @default 1000 */
  claimTimeoutMs?: number;
  /** Called before the grant is sent: from here on the server may have started. */
  onGranted?: (serverId: string) => void;
  requestId?: string;
  metadata?: Readonly<Record<string, string>>;
}

export type RpcReply =
  | { ok: true; response: Uint8Array; serverId: string }
  | {
      ok: false;
      /** The server's; or `no_claim`; or ours: `deadline_exceeded`, `unavailable` (the bus is away), `canceled` (closed). */
      code: RpcErrorCode | 'no_claim';
      message: string;
      /** Whether a grant may have reached a server. Without one nothing has started. */
      granted: boolean;
      serverId?: string;
    };

export interface RpcMultiOptions {
  waitMs: number;
  /** Stop waiting when so many have answered. */
  expected?: number;
}

export interface RpcMultiReply {
  serverId: string;
  response?: Uint8Array;
  error?: { code: RpcErrorCode; message: string };
}

type RpcQuestion = Pick<RpcCall, 'service' | 'method' | 'topic' | 'request' | 'metadata'>;

export interface RpcClient {
  readonly clientId: string;
  /** Never throws. */
  call(call: RpcCall): Promise<RpcReply>;
  /** The first claim, never granted: whether a server would take the request now. Starts nothing. Throws when the bus is away. */
  dryRun(call: RpcQuestion & Pick<RpcCall, 'claimTimeoutMs'>): Promise<RpcClaim | undefined>;
  /** Every server's answer to a `multi` method. Throws when the bus is away. */
  multi(call: RpcQuestion, options: RpcMultiOptions): Promise<RpcMultiReply[]>;
  close(): Promise<void>;
}

export interface RpcClientOptions {
  clientId?: string;
  now?: () => number;
  /** Subscribed at once; others with their first call. */
  services?: readonly string[];
}

const CLAIM_TIMEOUT_MS = 1_000;
const MAX_MULTI_REPLIES = 10_000;
const MAX_MESSAGE_CHARACTERS = 2_000;

export async function createRpcClient(bus: BusTransport, options: RpcClientOptions = {}): Promise<RpcClient> {
  const clientId = options.clientId ?? newClientId();
  const now = options.now ?? Date.now;
  const pending = new Map<string, Ears>();
  const inbox = createInbox(bus, clientId, pending);
  let closed = false;

  const line: Line = {
    now,
    listen(requestId, ears) {
      pending.set(requestId, ears);
      return () => {
        if (pending.get(requestId) === ears) pending.delete(requestId);
      };
    },
    async request({ requestId, expiryMs, multi = false, metadata = {}, request, ...name }) {
      if (closed) throw new RpcError('canceled', 'the client is closed');
      await inbox.open(name.service);
      const message = { requestId, clientId, sentAtMs: now(), expiryMs, multi, metadata, request };
      await bus.publish(requestChannel(name), encodeRequest(message));
    },
    grant: (name, grant) => bus.publish(grantChannel(name), encodeGrant(grant)),
  };

  await Promise.all((options.services ?? []).map((service) => inbox.open(service)));
  return {
    clientId,
    call: (call) => callOne(line, call),
    dryRun: (call) => dryRun(line, call),
    multi: (call, multiOptions) => askAll(line, call, multiOptions),
    async close() {
      closed = true;
      for (const ears of [...pending.values()]) ears.closed();
      await inbox.close();
    },
  };
}

/** What comes back for one request. */
interface Ears {
  claim?: (claim: WireClaim) => void;
  reply: (reply: WireReply) => void;
  closed: () => void;
}

/** What the three kinds of calls have in common. */
interface Line {
  now: () => number;
  /** @returns to listen no longer */
  listen(requestId: string, ears: Ears): () => void;
  request(question: RpcQuestion & { requestId: string; expiryMs: number; multi?: boolean }): Promise<void>;
  grant(name: RpcName, grant: WireGrant): Promise<void>;
}

function callOne(line: Line, call: RpcCall): Promise<RpcReply> {
  const { promise, resolve } = withResolvers<RpcReply>();
  const requestId = call.requestId ?? newRequestId();
  const expiryMs = call.expiryMs ?? line.now() + call.timeoutMs;
  let grantedTo: string | undefined;
  let refused: WireReply | undefined;
  let claims = 0;

  const finish = (reply: RpcReply) => {
    for (const timer of timers) clearTimeout(timer);
    hangUp();
    resolve(reply);
  };
  const fail = (code: RpcErrorCode | 'no_claim', message: string, serverId = grantedTo) =>
    finish({ ok: false, code, message: shorten(message), granted: grantedTo !== undefined, serverId });
  const answer = ({ serverId, response, error }: WireReply) =>
    error ? fail(error.code, error.message, serverId) : finish({ ok: true, response, serverId });
  const grant = (serverId: string) => {
    grantedTo = serverId;
    call.onGranted?.(serverId);
    // It may have left all the same: nobody knows whether the server has started.
    line
      .grant(call, { requestId, serverId })
      .catch((error) => fail('deadline_exceeded', sayWhy('grant not sent', error)));
  };
  const giveUpUnclaimed = () => {
    if (grantedTo !== undefined) return;
    if (refused) answer(refused);
    else fail('no_claim', claims > 0 ? `none of ${claims} claims was taken` : 'no server claimed the request');
  };

  const hangUp = line.listen(requestId, {
    claim(claim) {
      if (grantedTo !== undefined) return;
      claims += 1;
      if (claim.handling) grantedTo = claim.serverId;
      else if (line.now() < expiryMs && (call.choose?.(claim) ?? true)) grant(claim.serverId);
    },
    reply(reply) {
      // A broadcast request that one server refuses may still be claimed by another.
      if (reply.error && grantedTo === undefined && !call.queue) refused = reply;
      else answer(reply);
    },
    closed: () => fail('canceled', 'the client was closed'),
  });
  const timers = [
    setTimeout(giveUpUnclaimed, Math.min(call.claimTimeoutMs ?? CLAIM_TIMEOUT_MS, call.timeoutMs)),
    setTimeout(() => fail('deadline_exceeded', `no answer within ${call.timeoutMs} ms`), call.timeoutMs),
  ];
  line
    .request({ ...call, requestId, expiryMs })
    .catch((error) => fail(error instanceof RpcError ? error.code : 'unavailable', sayWhy('request not sent', error)));
  return promise;
}

async function dryRun(
  line: Line,
  { claimTimeoutMs = CLAIM_TIMEOUT_MS, ...question }: RpcQuestion & Pick<RpcCall, 'claimTimeoutMs'>,
): Promise<RpcClaim | undefined> {
  const requestId = newRequestId();
  const { promise, resolve } = withResolvers<RpcClaim | undefined>();
  const timer = setTimeout(resolve, claimTimeoutMs, undefined);
  const hangUp = line.listen(requestId, {
    claim: ({ serverId, affinity }) => resolve({ serverId, affinity }),
    reply: ({ error }) => error && resolve(undefined),
    closed: () => resolve(undefined),
  });
  try {
    await line.request({ ...question, requestId, expiryMs: line.now() + claimTimeoutMs });
    return await promise;
  } finally {
    clearTimeout(timer);
    hangUp();
  }
}

async function askAll(
  line: Line,
  question: RpcQuestion,
  { waitMs, expected = MAX_MULTI_REPLIES }: RpcMultiOptions,
): Promise<RpcMultiReply[]> {
  const requestId = newRequestId();
  const replies: RpcMultiReply[] = [];
  const { promise, resolve } = withResolvers<void>();
  const timer = setTimeout(resolve, waitMs);
  const hangUp = line.listen(requestId, {
    reply({ serverId, response, error }) {
      replies.push(error ? { serverId, error } : { serverId, response });
      if (replies.length >= Math.min(expected, MAX_MULTI_REPLIES)) resolve();
    },
    closed: resolve,
  });
  try {
    await line.request({ ...question, requestId, expiryMs: line.now() + waitMs, multi: true });
    await promise;
    return replies;
  } finally {
    clearTimeout(timer);
    hangUp();
  }
}

/** One subscription for all claims of a service and one for all replies, whatever the number of calls. */
function createInbox(bus: BusTransport, clientId: string, pending: ReadonlyMap<string, Ears>) {
  const opened = new Map<string, Promise<Unsubscribe[]>>();
  const onClaim = (message: Uint8Array) => {
    const claim = decodeClaim(message);
    if (claim) pending.get(claim.requestId)?.claim?.(claim);
  };
  const onReply = (message: Uint8Array) => {
    const reply = decodeReply(message);
    if (reply) pending.get(reply.requestId)?.reply(reply);
  };
  const subscribe = (service: string) =>
    subscribeAll([
      () => bus.subscribe(claimChannel(service, clientId), onClaim),
      () => bus.subscribe(replyChannel(service, clientId), onReply),
    ]);
  return {
    async open(service: string): Promise<void> {
      const opening = opened.get(service) ?? subscribe(service);
      opened.set(service, opening);
      // The next call tries again.
      opening.catch(() => opened.delete(service));
      await opening;
    },
    async close(): Promise<void> {
      const all = await Promise.allSettled(opened.values());
      const open = all.flatMap((one) => (one.status === 'fulfilled' ? one.value : []));
      await Promise.allSettled(open.map((unsubscribe) => unsubscribe()));
    },
  };
}

/** Of Node 22; Reelkit runs on 20. */
function withResolvers<T>() {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

function sayWhy(what: string, error: unknown): string {
  return `${what}: ${messageOf(error)}`;
}

function shorten(message: string): string {
  return message.slice(0, MAX_MESSAGE_CHARACTERS);
}
