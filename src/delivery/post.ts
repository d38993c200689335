// One POST of a webhook: to allowed addresses only, without following redirects, within a time limit, reading little of the answer.
import { type ClientRequest, type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { type Failure, judgeAnswer, type SendOutcome } from '../recording/webhooks/retry.ts';
import { AddressDenied, type AddressGuard } from './address-guard.ts';

/** For the whole exchange: name, connection, TLS, answer. */
const LIMIT_MS = 10_000;
/** Of the answer's body; a receiver that says more is not listened to. */
const READ_BYTES = 16 * 1_024;

export interface PostParts {
  guard: AddressGuard;
  limitMs?: number;
}

export interface Post {
  url: string;
  authorization: string;
  body: string;
}

/** Never throws. */
export async function postWebhook(post: Post, { guard, limitMs = LIMIT_MS }: PostParts): Promise<SendOutcome> {
  const url = new URL(post.url);
  if (guard.denies(url.hostname)) return denied(url);
  try {
    const response = await answerTo(url, post, guard, limitMs);
    const { statusCode = 0, headers } = response;
    drain(response);
    return judgeAnswer(statusCode, headers['retry-after'], Date.now());
  } catch (error) {
    return failureOf(error, url, limitMs);
  }
}

function answerTo(
  url: URL,
  { authorization, body }: Post,
  guard: AddressGuard,
  limitMs: number,
): Promise<IncomingMessage> {
  const send = url.protocol === 'https:' ? requestHttps : requestHttp;
  return new Promise((resolve, reject) => {
    const request: ClientRequest = send(url, {
      method: 'POST',
      // A connection of its own: one that is kept could have been made for another name.
      agent: false,
      lookup: guard.lookup,
      signal: AbortSignal.timeout(limitMs),
      maxHeaderSize: READ_BYTES,
      headers: {
        'Content-Type': 'application/webhook+json',
        'Content-Length': Buffer.byteLength(body),
        Authorization: authorization,
        'User-Agent': 'reelkit',
      },
    });
    request.on('response', resolve).on('error', reject).end(body);
  });
}

/** The status is all that counts; what follows is read so that the receiver can finish, and not for long. */
function drain(response: IncomingMessage): void {
  let bytes = 0;
  response.on('error', () => undefined);
  response.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > READ_BYTES) response.destroy();
  });
}

function denied({ hostname }: URL): Failure {
  return {
    kind: 'failed',
    code: 'address_denied',
    message: `${hostname} is at a private address: list it in webhooks.allow of the configuration if webhooks may go there`,
  };
}

/** By codes; the messages of the network name hosts, and nothing of what was sent. */
function failureOf(error: unknown, url: URL, limitMs: number): Failure {
  if (causesOf(error).some((cause) => cause instanceof AddressDenied)) return denied(url);
  const { name, code } = error as { name?: string; code?: string };
  if (name === 'AbortError' || name === 'TimeoutError' || code === 'ETIMEDOUT')
    return { kind: 'failed', code: 'timeout', message: `${url.hostname} did not answer within ${limitMs / 1_000} s` };
  return {
    kind: 'failed',
    code: 'unreachable',
    message: `${url.hostname} cannot be reached (${code ?? 'no connection'})`,
  };
}

function causesOf(error: unknown): unknown[] {
  return error instanceof AggregateError ? [error, ...error.errors] : [error];
}
