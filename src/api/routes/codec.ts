// What Temporal stores encrypted, for operators to read: Temporal's Web UI and CLI send payloads here and show what comes back.
// Keeps nothing and logs nothing of it. The protocol is Temporal's own for remote codecs.
import type { Payload, PayloadCodec } from '@temporalio/common';
import type { RequestHandler } from 'express';
import { z } from 'zod';
import { PayloadKeyError } from '../../temporal/codec.ts';
import { operatorCookie } from '../auth/operator-cookie.ts';
import { SIGN_IN_PAGE, SIGN_IN_POLICY } from '../auth/sign-in-page.ts';
import { errors } from '../errors.ts';
import { defineRoute, type Route } from '../route.ts';

export interface CodecRouteParts {
  codec: PayloadCodec;
}

/** One event of Temporal holds 2 MB at most, here in base64 and JSON. */
const BODY_LIMIT_BYTES = 4 * 1_024 * 1_024;
const MAX_PAYLOADS = 1_000;

const base64 = z.string().regex(/^[A-Za-z0-9+/]*={0,2}$/, { error: 'must be base64' });
const payloads = z
  .object({
    payloads: z
      .array(z.object({ metadata: z.record(z.string().max(255), base64).optional(), data: base64.optional() }))
      .max(MAX_PAYLOADS)
      // Protobuf's JSON leaves out a list that is empty, as Temporal's CLI sends for queries without input.
      .default([]),
  })
  .meta({ id: 'Payloads', description: "Payloads as protobuf's JSON writes them: bytes in base64" });
type Payloads = z.output<typeof payloads>;

export function codecRoutes({ codec }: CodecRouteParts): Route[] {
  return [
    payloadRoute('decode', 'Decrypt payloads that Temporal stores', (given) => codec.decode(given)),
    payloadRoute('encode', 'Encrypt payloads for Temporal', (given) => codec.encode(given)),
    defineRoute({
      method: 'get',
      path: '/codec/sign-in',
      tag: 'service',
      summary: "The page on which an operator signs in for Temporal's Web UI",
      auth: 'none',
      responses: { 200: { description: 'The page', contentType: 'text/html' } },
      handler: () => ({
        status: 200,
        text: SIGN_IN_PAGE,
        contentType: 'text/html',
        headers: { 'Content-Security-Policy': SIGN_IN_POLICY, 'Cache-Control': 'no-store' },
      }),
    }),
    defineRoute({
      method: 'post',
      path: '/codec/sign-in',
      tag: 'service',
      summary: 'Keep the access token of this request as a cookie for `/codec`',
      auth: 'token',
      operatorsOnly: true,
      responses: { 204: { description: 'The cookie is set' } },
      handler({ header }) {
        const cookie = operatorCookie(header('authorization'), header('x-forwarded-proto') === 'https');
        if (cookie === undefined) throw errors.unauthenticated('The access token does not fit into a cookie.');
        return { status: 204, headers: { 'Set-Cookie': cookie } };
      },
    }),
  ];
}

function payloadRoute(name: string, summary: string, convert: (given: Payload[]) => Promise<Payload[]>): Route {
  return defineRoute<unknown, unknown, Payloads>({
    method: 'post',
    path: `/codec/${name}`,
    tag: 'service',
    summary,
    description: "Temporal's remote codec protocol. For tokens without a room, or the cookie of `/codec/sign-in`.",
    auth: 'token',
    operatorsOnly: true,
    body: payloads,
    bodyLimitBytes: BODY_LIMIT_BYTES,
    responses: { 200: { description: 'As many payloads, in the same order', schema: payloads } },
    problems: ['encryption_key_missing'],
    async handler({ body }) {
      const converted = await convert(body.payloads.map(fromJson)).catch((error: unknown) => {
        throw error instanceof PayloadKeyError ? errors.encryptionKeyMissing(error.message, error) : error;
      });
      return { status: 200, body: { payloads: converted.map(toJson) }, headers: { 'Cache-Control': 'no-store' } };
    },
  });
}

/** Lets the pages of the configured origins ask, and nobody else's: browsers ask first, and need the answer's leave to read it. */
export function allowOrigins(origins: readonly string[]): RequestHandler {
  return (request, response, next) => {
    response.vary('Origin');
    const { origin } = request.headers;
    if (origin === undefined || !origins.includes(origin)) return next();
    response.set({ 'Access-Control-Allow-Origin': origin, 'Access-Control-Allow-Credentials': 'true' });
    if (request.method !== 'OPTIONS') return next();
    response
      .status(204)
      .set({
        'Access-Control-Allow-Methods': 'POST',
        'Access-Control-Allow-Headers': 'Authorization, Content-Type, X-Namespace',
        'Access-Control-Max-Age': '600',
      })
      .end();
  };
}

function fromJson({ metadata, data }: Payloads['payloads'][number]): Payload {
  return {
    metadata: mapped(metadata, (text) => Buffer.from(text, 'base64')),
    data: Buffer.from(data ?? '', 'base64'),
  };
}

function toJson({ metadata, data }: Payload): Payloads['payloads'][number] {
  return { metadata: mapped(metadata, toBase64), data: toBase64(data ?? new Uint8Array()) };
}

function mapped<A, B>(record: Record<string, A> | null | undefined, change: (value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(record ?? {}).map(([key, value]) => [key, change(value)]));
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
