// The HTTP client of the commands: where the API is, with which token, and how its problems reach a person.

import { AccessToken } from 'livekit-server-sdk';
import type { FieldProblem } from '../api/errors.ts';
import { defined } from '../common/defined.ts';
import { ConfigError } from '../config/problems.ts';
import { readConfigFile } from '../config/read.ts';
import { CliError } from './errors.ts';

const DEFAULT_URL = 'http://127.0.0.1:8080';
const TOKEN_TTL_SECONDS = 3_600;
const REQUEST_MS = 30_000;

export interface ClientOptions {
  url?: string;
  config?: string;
}

export interface ApiClient {
  get<T>(path: string): Promise<T>;
  post<T>(path: string, body?: unknown, headers?: Record<string, string>): Promise<T>;
  /** The `data` of each server-sent event, until the stream ends. */
  events(path: string): AsyncGenerator<string>;
}

interface Problem {
  title?: string;
  code?: string;
  detail?: string;
  errors?: FieldProblem[];
}

export async function createApiClient(
  options: ClientOptions,
  env: NodeJS.ProcessEnv = process.env,
): Promise<ApiClient> {
  const url = (options.url ?? env.REELKIT_URL ?? DEFAULT_URL).replace(/\/$/, '');
  const token = env.REELKIT_TOKEN ?? (await mintToken(readKeys(options.config, env)));
  const headers = { Authorization: `Bearer ${token}` };

  const send = async (path: string, init: RequestInit) => {
    const response = await fetch(url + path, init).catch((error: unknown) => {
      throw unreachable(url, error);
    });
    if (!response.ok) throw problemOf(response.status, await response.text());
    return response;
  };
  const limit = () => AbortSignal.timeout(REQUEST_MS);

  return {
    get: async <T>(path: string) => (await send(path, { headers, signal: limit() })).json() as Promise<T>,
    async post<T>(path: string, body?: unknown, extra: Record<string, string> = {}) {
      const response = await send(path, {
        method: 'POST',
        headers: { ...headers, ...extra, ...(body === undefined ? {} : { 'Content-Type': 'application/json' }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: limit(),
      });
      return response.json() as Promise<T>;
    },
    async *events(path) {
      const response = await send(path, { headers });
      if (response.body) yield* eventData(response.body);
    },
  };
}

export interface Keys {
  apiKey: string;
  apiSecret: string;
}

export function readKeys(configFile: string | undefined, env: NodeJS.ProcessEnv): Keys {
  const fromFile = keysOfFile(configFile ?? env.REELKIT_CONFIG);
  const apiKey = env.LIVEKIT_API_KEY || fromFile?.apiKey;
  const apiSecret = env.LIVEKIT_API_SECRET || fromFile?.apiSecret;
  if (apiKey && apiSecret) return { apiKey, apiSecret };
  throw new CliError('no access token and no keys to make one', [
    'set LIVEKIT_API_KEY and LIVEKIT_API_SECRET to the keys of your LiveKit server',
    'or set REELKIT_TOKEN to a token that somebody made with `reelkit token`',
    'or name the configuration file of the service with --config or REELKIT_CONFIG',
  ]);
}

export async function mintToken(
  { apiKey, apiSecret }: Keys,
  {
    ttlSeconds = TOKEN_TTL_SECONDS,
    room,
    identity = 'reelkit-cli',
  }: { ttlSeconds?: number; room?: string; identity?: string } = {},
): Promise<string> {
  const token = new AccessToken(apiKey, apiSecret, { identity, ttl: ttlSeconds });
  token.addGrant({ roomRecord: true, ...defined({ room }) });
  return token.toJwt();
}

function keysOfFile(path: string | undefined): Partial<Keys> | undefined {
  if (path === undefined) return undefined;
  try {
    return (readConfigFile(path) as { livekit?: Partial<Keys> | null }).livekit ?? undefined;
  } catch (error) {
    throw error instanceof ConfigError ? new CliError(error.problems.join('; ')) : error;
  }
}

function unreachable(url: string, error: unknown): CliError {
  if (error instanceof DOMException) return new CliError(`${url} did not answer in ${REQUEST_MS / 1_000} s`);
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
  return new CliError(`cannot reach the API at ${url}: ${cause}`, [
    'start it with `reelkit serve`, or set REELKIT_URL or --url to where it runs',
  ]);
}

/** The detail says what and why; each field's remedy says what to write instead. */
export function problemOf(status: number, body: string): CliError {
  const problem = parseProblem(body);
  if (!problem) return new CliError(`the API answered ${status}: ${body.slice(0, 200)}`);
  const fields = (problem.errors ?? []).map(({ field, message, remedy }) => `${field} ${message}: ${remedy}`);
  return new CliError(`${problem.detail ?? problem.title ?? 'failed'} (${problem.code ?? status})`, fields);
}

function parseProblem(body: string): Problem | undefined {
  try {
    const parsed = JSON.parse(body) as Problem | null;
    return parsed && typeof parsed === 'object' && 'detail' in parsed ? parsed : undefined;
  } catch {
    return undefined;
  }
}

export async function* eventData(body: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let buffered = '';
  for await (const chunk of body) {
    buffered += decoder.decode(chunk, { stream: true });
    const events = buffered.split('\n\n');
    buffered = events.pop() ?? '';
    for (const event of events) {
      const data = event.split('\n').filter((line) => line.startsWith('data: '));
      if (data.length > 0) yield data.map((line) => line.slice('data: '.length)).join('\n');
    }
  }
}
