// The kubelet's way to the API server: one keep-alive connection pool, calls that are repeated until they are answered, and a
// list-and-watch that begins again whatever breaks it.
import { Agent, type RequestOptions, request } from 'node:https';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { KubeConfig, type KubernetesListObject, type KubernetesObject } from '@kubernetes/client-node';

export class ApiError extends Error {
  readonly code: number;
  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

export interface Call {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  path: string;
  body?: object;
}

export type Api = Awaited<ReturnType<typeof connectApi>>;

const callLimitMs = 5_000;
const pauseMs = 250;
const sockets = 16;

export async function connectApi(kubeconfig: string) {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfig);
  const server = config.getCurrentCluster()?.server;
  if (!server) throw new Error(`${kubeconfig} names no cluster`);
  const access: RequestOptions = {};
  await config.applyToHTTPSOptions(access);
  const connection: RequestOptions = {
    ca: access.ca,
    agent: new Agent({ keepAlive: true, maxSockets: sockets, ca: access.ca }),
  };
  const closed = new AbortController();
  const open = ({ method, path, body }: Call, signal: AbortSignal, onResponse: Parameters<typeof request>[2]) => {
    const text = body ? JSON.stringify(body) : '';
    // Node sends no length of its own with DELETE.
    const own = { 'content-type': contentTypeOf(method), 'content-length': Buffer.byteLength(text) };
    const headers = { ...access.headers, ...own };
    const sending = request(`${server}${path}`, { ...connection, method, headers, signal }, onResponse);
    sending.end(text);
    return sending;
  };

  const once = <T>(call: Call): Promise<T> =>
    new Promise((resolve, reject) => {
      const signal = AbortSignal.any([closed.signal, AbortSignal.timeout(callLimitMs)]);
      const sending = open(call, signal, (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.once('error', reject);
        response.once('end', () => {
          const text = Buffer.concat(parts).toString();
          const code = response.statusCode ?? 0;
          if (code < 300) resolve(JSON.parse(text) as T);
          else reject(new ApiError(code, `${call.method} ${call.path}: ${code} ${text}`));
        });
      });
      sending.once('error', reject);
    });

  /** Until the server has decided: it may be away for a while. */
  const persistently = async <T>(call: Call): Promise<T> => {
    for (;;) {
      try {
        return await once<T>(call);
      } catch (error) {
        if (closed.signal.aborted || !isTransient(error)) throw error;
        await sleep(pauseMs);
      }
    }
  };

  const lines = (path: string, onLine: (line: string) => void): Promise<void> =>
    new Promise((resolve, reject) => {
      const sending = open({ method: 'GET', path }, closed.signal, (response) => {
        if (response.statusCode !== 200) return void sending.destroy(new Error(`watch: ${response.statusCode}`));
        // An abort is told more than once, and the second time must find a listener, too.
        response.on('error', reject);
        createInterface(response).on('line', onLine).on('error', reject).once('close', resolve);
      });
      sending.on('error', reject);
    });

  /** Follows all objects of a path until the connection is closed. */
  const follow = async <T extends KubernetesObject>(path: string, follower: Follower<T>): Promise<void> => {
    while (!closed.signal.aborted) {
      try {
        const list = await once<KubernetesListObject<T>>({ method: 'GET', path });
        follower.onAll(list.items);
        const since = list.metadata?.resourceVersion ?? '';
        await lines(`${path}?watch=true&resourceVersion=${since}`, (line) => {
          const event = parseEvent<T>(line);
          if (event?.type === 'DELETED') follower.onGone(event.object);
          else if (event?.type === 'ADDED' || event?.type === 'MODIFIED') follower.onSeen(event.object);
        });
      } catch {
        // Listed anew below, so nothing that happened meanwhile is missed.
      }
      if (!closed.signal.aborted) await sleep(pauseMs);
    }
  };

  return {
    once,
    persistently,
    follow,
    /** What is there already stays. */
    create: (path: string, body: object) =>
      persistently({ method: 'POST', path, body }).catch((error: unknown) => unless(error, 409)),
    /** What is gone, or is another object by now, is gone. */
    remove: (path: string, body: object = {}) =>
      persistently({ method: 'DELETE', path, body }).catch((error: unknown) => unless(error, 404, 409)),
    isClosed: () => closed.signal.aborted,
    close() {
      closed.abort();
      (connection.agent as Agent).destroy();
    },
  };
}

export interface Follower<T> {
  /** At each beginning; what is not among these is gone. */
  onAll(objects: T[]): void;
  onSeen(object: T): void;
  onGone(object: T): void;
}

/** The last line of a connection that broke is half a line. */
function parseEvent<T>(line: string): { type: string; object: T } | undefined {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

export function hasCode(error: unknown, ...codes: number[]): boolean {
  return error instanceof ApiError && codes.includes(error.code);
}

function unless(error: unknown, ...codes: number[]): void {
  if (!hasCode(error, ...codes)) throw error;
}

function isTransient(error: unknown): boolean {
  // 403: a server that has just started does not know its roles yet.
  return !(error instanceof ApiError) || error.code >= 500 || error.code === 429 || error.code === 403;
}

function contentTypeOf(method: Call['method']): string {
  return method === 'PATCH' ? 'application/strategic-merge-patch+json' : 'application/json';
}
