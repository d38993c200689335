// A small object in a bucket, as a worker would put it there, and back: written, read, deleted. What the server says is taken by its
// codes alone; its words, and those of errors here, may hold a key and are never passed on.
import { createHash } from 'node:crypto';
import { AwsClient } from 'aws4fetch';
import type { Storage } from '../../config/storages.ts';

export type S3Storage = Extract<Storage, { type: 's3' }>;

/** What a server answered that was no success, or why it did not answer. */
export interface Refusal {
  status?: number;
  /** S3's code, or that of the connection's error. */
  code?: string;
  /** Where the bucket is, if the server says so. */
  region?: string;
}

export interface Trial {
  key: string;
  /** Asked for where neither region nor endpoint is configured, as a worker does. */
  locate?: Refusal;
  write?: Refusal;
  /** 'other': what came back is not what was written. */
  read?: Refusal | 'other';
  delete?: Refusal;
}

export interface S3Options {
  send?: (request: Request) => Promise<Response>;
  timeoutMs?: number;
}

const TIMEOUT_MS = 5_000;
/** An error of S3 has less than a kilobyte. */
const MOST_READ = 8_192;
/** A worker's for servers other than Amazon's (livekit/storage s3.go). */
const DEFAULT_REGION = 'us-east-1';

const CUT_OFF = new Set(['timeout', 'ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET', 'UND_ERR_HEADERS_TIMEOUT']);

export async function tryBucket(storage: S3Storage, key: string, options: S3Options = {}): Promise<Trial> {
  const bucket = createBucket(storage, options);
  const located = await bucket.locate();
  if (typeof located === 'object') return { key, locate: located };
  const body = `Written by reelkit doctor at ${new Date().toISOString()}; may be deleted.\n`;
  const written = await bucket.call(located, 'PUT', key, body);
  if ('refusal' in written) {
    const unmade = mayBeDone(written.refusal) ? await bucket.call(located, 'DELETE', key) : undefined;
    return { key, write: written.refusal, ...(unmade && 'refusal' in unmade ? { delete: unmade.refusal } : {}) };
  }
  const read = await bucket.call(located, 'GET', key);
  const deleted = await bucket.call(located, 'DELETE', key);
  return {
    key,
    ...('refusal' in read ? { read: read.refusal } : read.text === body ? {} : { read: 'other' as const }),
    ...('refusal' in deleted ? { delete: deleted.refusal } : {}),
  };
}

/** A request that was sent and not answered, or not to the end, may have been done all the same. */
function mayBeDone({ status, code = '' }: Refusal): boolean {
  return status === undefined ? CUT_OFF.has(code) : status >= 500;
}

type Answer = { text: string } | { refusal: Refusal };

function createBucket(storage: S3Storage, { send = fetch, timeoutMs = TIMEOUT_MS }: S3Options) {
  const { accessKey: accessKeyId, secret: secretAccessKey, sessionToken } = storage;
  const client = new AwsClient({ accessKeyId, secretAccessKey, sessionToken, service: 's3', retries: 0 });

  const sign = (region: string, method: string, url: string, body?: string) =>
    client.sign(url, {
      method,
      ...(body === undefined ? {} : { body }),
      headers: { 'content-type': 'text/plain', 'x-amz-content-sha256': sha256(body ?? '') },
      redirect: 'manual',
      signal: AbortSignal.timeout(timeoutMs),
      aws: { region },
    });

  const ask = async (...request: Parameters<typeof sign>): Promise<Answer> => {
    let signed: Request;
    try {
      signed = await sign(...request);
    } catch {
      return { refusal: { code: 'unusable' } };
    }
    try {
      return await answerOf(await send(signed));
    } catch (error) {
      return { refusal: { code: codeOf(error) } };
    }
  };

  return {
    call: (region: string, method: string, key: string, body?: string) =>
      ask(region, method, urlOf(storage, region, key), body),

    async locate(): Promise<string | Refusal> {
      if (storage.region !== '' || storage.endpoint !== '') return storage.region || DEFAULT_REGION;
      const answer = await ask(DEFAULT_REGION, 'GET', `${urlOf(storage, DEFAULT_REGION, '')}?location`);
      if ('refusal' in answer) return answer.refusal;
      return tagIn(answer.text, 'LocationConstraint') ?? DEFAULT_REGION;
    },
  };
}

/** The bucket is in the path where it must, or can be no part of a host's name. */
function urlOf({ bucket, endpoint, forcePathStyle }: S3Storage, region: string, key: string): string {
  const amazons = `https://s3.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`;
  const url = new URL(endpoint || amazons);
  const folder = url.pathname.replace(/\/$/, '');
  const path = key.split('/').map(encodeURIComponent).join('/');
  const isNumeric = /^(\d+\.){3}\d+$|^\[/.test(url.hostname);
  if (forcePathStyle || isNumeric || !/^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/.test(bucket))
    return `${url.protocol}//${url.host}${folder}/${encodeURIComponent(bucket)}/${path}`;
  return `${url.protocol}//${bucket}.${url.host}${folder}/${path}`;
}

async function answerOf(response: Response): Promise<Answer> {
  const text = await beginningOf(response);
  if (response.ok) return { text };
  const code = tagIn(text, 'Code');
  const region = response.headers.get('x-amz-bucket-region') ?? tagIn(text, 'Region');
  return {
    refusal: {
      status: response.status,
      ...(code ? { code } : {}),
      ...(region && /^[a-z0-9-]{1,32}$/.test(region) ? { region } : {}),
    },
  };
}

async function beginningOf({ body }: Response): Promise<string> {
  if (!body) return '';
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    chunks.push(chunk);
    length += chunk.length;
    if (length >= MOST_READ) break;
  }
  return Buffer.concat(chunks).subarray(0, MOST_READ).toString();
}

function tagIn(text: string, tag: string): string | undefined {
  return new RegExp(`<${tag}(?: [^>]{0,200})?>([A-Za-z0-9-]{1,64})</${tag}>`).exec(text)?.[1];
}

function codeOf(error: unknown): string {
  if (error instanceof Error && error.name === 'TimeoutError') return 'timeout';
  const cause = error instanceof Error ? error.cause : undefined;
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  return typeof code === 'string' && /^[A-Z0-9_]{1,64}$/.test(code) ? code : 'unknown';
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
