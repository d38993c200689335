// psrpc's server: it claims what it would handle, and handles what the caller grants. It works on bytes and knows no service.
// What is malformed, expired or not wanted is passed over in silence; an answer goes only to a granted request.
import { createHash } from 'node:crypto';
import { messageOf } from '../common/error-message.ts';
import type { Log } from '../telemetry/log.ts';
import { createAtWork } from './at-work.ts';
import { RpcError } from './error.ts';
import { isReelkitServer, newServerId } from './ids.ts';
import { subscribeAll } from './subscribe-all.ts';
import {
  ANY_TOPIC,
  atWorkChannel,
  claimChannel,
  grantChannel,
  replyChannel,
  requestChannel,
  topicOf,
} from './topics.ts';
import type { BusListener, BusTransport, Unsubscribe } from './transport.ts';
import { createWaiting } from './waiting.ts';
import {
  decodeGrant,
  decodeReply,
  decodeRequest,
  encodeClaim,
  encodeReply,
  MAX_MESSAGE_BYTES,
  type WireRequest,
} from './wire.ts';

export { RpcError } from './error.ts';

export interface RpcHandlerContext {
  requestId: string;
  clientId: string;
  topic: string | undefined;
  expiryMs: number;
  metadata: Readonly<Record<string, string>>;
}

/**
 * @returns the response; undefined: no answer at all, for callers that repeat what was not answered
 * @throws RpcError to answer with its code and message; anything else is answered `internal`, without its words
 */
export type RpcHandler = (request: Uint8Array, context: RpcHandlerContext) => Promise<Uint8Array | undefined>;

type MaybePromise<T> = T | Promise<T>;

export interface ServeOptions {
  service: string;
  method: string;
  topic?: string;
  /** 0 to 1, 1 is taken at once; undefined or a throw: not claimed. */
  affinity: (request: Uint8Array, context: RpcHandlerContext) => MaybePromise<number | undefined>;
  handle: RpcHandler;
  /**
   * A peer, which is a server of Reelkit's in another process, was granted the request, and for this long neither its reply is
   * seen nor that it works on it: handle it, and answer in its place. For idempotent handlers. Only what `affinity` would have
   * claimed is taken over.
   * @default no takeover
   */
  takeOverAfterMs?: number;
}

export interface ServeQueueOptions {
  service: string;
  method: string;
  /** `*`: all topics, by one pattern subscription. */
  topic?: string;
  /** Asked before psrpc's lock is taken: a message that is not ours stays for others. A throw means no. */
  isMine: (request: Uint8Array, context: RpcHandlerContext) => MaybePromise<boolean>;
  handle: RpcHandler;
}

export interface Served {
  /** Claims nothing from now on; resolves when everything claimed is answered, granted to others or expired. */
  stop(): Promise<void>;
}

export interface RpcServer {
  readonly serverId: string;
  /** Competing servers: the caller chooses among those who claim. */
  serve(options: ServeOptions): Promise<Served>;
  /** Queue: whoever takes the lock claims. */
  serveQueue(options: ServeQueueOptions): Promise<Served>;
}

export interface RpcServerOptions {
  /** Begins with the mark by which peers know each other. */
  serverId?: string;
  now?: () => number;
  log?: Pick<Log, 'warn'>;
  /** Requests of one method that are claimed or handled at a time; more are not claimed. @default 2000 */
  maxInFlight?: number;
}

const MAX_IN_FLIGHT = 2_000;
/** A grant that takes longer is not waited for, whatever expiry the request names. */
const MAX_GRANT_WAIT_MS = 60_000;
const QUEUE_AFFINITY = 1;
/** As psrpc's, on the same key, so that its servers and ours exclude each other. */
const QUEUE_LOCK_MS = 5_000;
const TAKE_OVER_LOCK_MS = 60_000;
/** So many signs of work fit into the silence that is taken for death. */
const SIGNS_IN_SILENCE = 4;
const REPLY_RETRY_MS = 200;
const MAX_ERROR_CHARACTERS = 2_000;
/** Leaves room for what is around it. */
const MAX_RESPONSE_BYTES = MAX_MESSAGE_BYTES - 4_096;

/** How the two kinds of methods differ. */
interface Method {
  service: string;
  method: string;
  topic?: string | undefined;
  /** undefined: leave it to others. */
  willing: (message: Uint8Array, request: WireRequest, context: RpcHandlerContext) => Promise<number | undefined>;
  handle: RpcHandler;
  takeOverAfterMs?: number | undefined;
}

export function createRpcServer(bus: BusTransport, options: RpcServerOptions = {}): RpcServer {
  const serverId = options.serverId ?? newServerId();
  const server = {
    bus,
    serverId,
    now: options.now ?? Date.now,
    log: options.log ?? { warn: () => undefined },
    maxInFlight: options.maxInFlight ?? MAX_IN_FLIGHT,
  };
  return {
    serverId,
    serve: ({ affinity, ...method }) =>
      serveMethod(server, { ...method, willing: async (_, { request }, context) => affinity(request, context) }),
    serveQueue: ({ isMine, ...method }) =>
      serveMethod(server, {
        ...method,
        willing: async (message, { request }, context) =>
          (await isMine(request, context)) && (await bus.lock(queueLockOf(message), QUEUE_LOCK_MS))
            ? QUEUE_AFFINITY
            : undefined,
      }),
  };
}

function queueLockOf(message: Uint8Array): string {
  return createHash('sha256').update(message).digest('base64');
}

interface Server {
  bus: BusTransport;
  serverId: string;
  now: () => number;
  log: Pick<Log, 'warn'>;
  maxInFlight: number;
}

async function serveMethod(server: Server, method: Method): Promise<Served> {
  const { bus } = server;
  const desk = createDesk(server, method);
  // Grants first: a request that is claimed must not miss its own.
  const answers = [() => subscribe(bus, method.topic, grantChannel(method), desk.onGrant)];
  if (method.takeOverAfterMs !== undefined) {
    answers.push(
      () => bus.psubscribe(replyChannel(method.service, ANY_TOPIC), desk.onReply),
      () => bus.subscribe(atWorkChannel(method), desk.onSign),
    );
  }
  const requests = () => subscribe(bus, method.topic, requestChannel(method), desk.onRequest);
  const unsubscribe = await subscribeAll([...answers, requests]);
  return {
    async stop() {
      desk.close();
      await unsubscribe.pop()?.();
      await desk.empty();
      await Promise.all(unsubscribe.splice(0).map((one) => one()));
    },
  };
}

/** Where the requests of one method lie, from their arrival until they are answered or somebody else's. */
function createDesk(server: Server, method: Method) {
  const { bus, serverId, now, log } = server;
  const { service, takeOverAfterMs } = method;
  const grants = createWaiting<string>();
  const replies = createWaiting<true>();
  const inFlight = new Map<string, Promise<void>>();
  const atWork =
    takeOverAfterMs === undefined
      ? undefined
      : createAtWork(bus, {
          channel: atWorkChannel(method),
          everyMs: takeOverAfterMs / SIGNS_IN_SILENCE,
          isWaitedFor: (requestId) => inFlight.has(requestId),
        });
  let closed = false;

  /** The story of one request. */
  const take = async (message: Uint8Array, request: WireRequest, context: RpcHandlerContext) => {
    const { requestId, expiryMs } = request;
    const waitMs = Math.min(expiryMs - now(), MAX_GRANT_WAIT_MS);
    const granted = grants.next(requestId, waitMs);
    const replied = takeOverAfterMs === undefined ? undefined : replies.next(requestId, waitMs + takeOverAfterMs);
    try {
      const affinity = await method.willing(message, request, context);
      if (affinity === undefined || affinity < 0 || closed || now() >= expiryMs) return;
      const claim = encodeClaim({ requestId, serverId, affinity, handling: false });
      await bus.publish(claimChannel(service, request.clientId), claim);
      const winner = await granted;
      if (winner === undefined) return;
      if (winner === serverId || (await isOursNow(winner, replied, request))) await answer(request, context);
    } finally {
      grants.settle(requestId, undefined);
      replies.settle(requestId, undefined);
      atWork?.forget(requestId);
    }
  };

  /** The peer that was granted the request is silent, and no third process stands in for it. */
  const isOursNow = async (peer: string, replied: Promise<true | undefined> | undefined, request: WireRequest) => {
    const { requestId, expiryMs } = request;
    if (takeOverAfterMs === undefined || !isReelkitServer(peer)) return false;
    const grantedMs = performance.now();
    for (let silentMs = 0; silentMs < takeOverAfterMs; ) {
      const seen = await Promise.race([replied, pause(takeOverAfterMs - silentMs)]);
      if (seen || closed || now() >= expiryMs) return false;
      silentMs = performance.now() - Math.max(grantedMs, atWork?.heardMs(requestId) ?? 0);
    }
    if (!(await bus.lock(takeOverLockOf(requestId), TAKE_OVER_LOCK_MS))) return false;
    log.warn({ requestId, method: method.method, peer }, 'a peer was granted a request and is silent: taken over');
    return true;
  };

  const answer = async (request: WireRequest, context: RpcHandlerContext) => {
    const handling = () => outcomeOf(method, request, context, log);
    const outcome = await (atWork?.during(request.requestId, handling) ?? handling());
    if (!outcome) return;
    const { requestId, clientId, expiryMs } = request;
    const reply = encodeReply({ requestId, serverId, sentAtMs: now(), response: new Uint8Array(), ...outcome });
    await publishUntil(bus, replyChannel(service, clientId), reply, () => now() < expiryMs);
  };

  const onRequest: BusListener = (message, channel) => {
    if (closed || inFlight.size >= server.maxInFlight) return;
    const request = decodeRequest(message);
    if (!request || request.multi || now() >= request.expiryMs || inFlight.has(request.requestId)) return;
    const { requestId, clientId, expiryMs, metadata } = request;
    const context = { requestId, clientId, topic: topicOf(channel), expiryMs, metadata };
    const done = take(message, request, context)
      .catch((error: unknown) => {
        log.warn({ requestId, method: method.method, problem: messageOf(error) }, 'a bus request was given up');
      })
      .finally(() => inFlight.delete(requestId));
    inFlight.set(requestId, done);
  };
  const onGrant: BusListener = (message) => {
    const grant = decodeGrant(message);
    if (grant) grants.settle(grant.requestId, grant.serverId);
  };
  const onReply: BusListener = (message) => {
    const reply = decodeReply(message);
    if (reply) replies.settle(reply.requestId, true);
  };
  return {
    onRequest,
    onGrant,
    onReply,
    onSign: (message: Uint8Array, channel: string) => atWork?.onSign(message, channel),
    close: () => {
      closed = true;
    },
    empty: () => Promise.all(inFlight.values()),
  };
}

function subscribe(
  bus: BusTransport,
  topic: string | undefined,
  name: string,
  listener: BusListener,
): Promise<Unsubscribe> {
  return topic === ANY_TOPIC ? bus.psubscribe(name, listener) : bus.subscribe(name, listener);
}

type Outcome = { response: Uint8Array } | { error: { code: string; message: string } };

async function outcomeOf(
  { handle, method }: Method,
  { requestId, request }: WireRequest,
  context: RpcHandlerContext,
  log: Pick<Log, 'warn'>,
): Promise<Outcome | undefined> {
  try {
    const response = await handle(request, context);
    if (response === undefined) return undefined;
    if (response.length <= MAX_RESPONSE_BYTES) return { response };
    return { error: { code: 'malformed_result', message: `a response of ${response.length} bytes is not sent` } };
  } catch (error) {
    // An empty message would read as success.
    if (error instanceof RpcError) {
      return { error: { code: error.code, message: (error.message || error.code).slice(0, MAX_ERROR_CHARACTERS) } };
    }
    log.warn({ requestId, method, problem: messageOf(error) }, 'a bus request failed unexpectedly');
    return { error: { code: 'internal', message: 'internal error' } };
  }
}

/** The caller still waits while the broker is away: a reply sent twice is harmless, a lost one costs a retry of 10 s. */
async function publishUntil(bus: BusTransport, channel: string, message: Uint8Array, mayStill: () => boolean) {
  for (;;) {
    try {
      return await bus.publish(channel, message);
    } catch (error) {
      await pause(REPLY_RETRY_MS);
      if (!mayStill()) throw error;
    }
  }
}

function takeOverLockOf(requestId: string): string {
  return `reelkit:takeover:${requestId}`;
}

function pause(ms: number): Promise<undefined> {
  return new Promise((resolve) => setTimeout(resolve, ms, undefined));
}
