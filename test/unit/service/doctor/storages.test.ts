// What `reelkit doctor` makes of a storage: by the codes of a server that refuses, and without a word that could be a secret.

import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { type Storage, storage } from '../../../../src/config/storages.ts';
import { checkStorages } from '../../../../src/service/doctor/storages.ts';

const KEYS = { accessKey: 'AKIA-of-lessons', secret: 'a-secret-of-lessons', sessionToken: 'a-token-of-lessons' };
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

interface Reply {
  status: number;
  body?: string;
  headers?: Record<string, string>;
}
const error = (status: number, code: string, more = ''): Reply => ({
  status,
  body: `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${KEYS.secret}</Message>${more}</Error>`,
});

/** An S3 that keeps what it gets, but for the methods that it refuses. */
async function serve(refusals: Record<string, Reply | 'silence'> = {}) {
  const objects = new Map<string, string>();
  const asked: { method: string; url: string; headers: IncomingMessage['headers'] }[] = [];
  const server = createServer(async (request, response) => {
    const { method = '', url = '', headers } = request;
    asked.push({ method, url, headers });
    const body = (await request.toArray()).join('');
    const refusal = refusals[method];
    if (refusal === 'silence') return;
    if (refusal) return void response.writeHead(refusal.status, refusal.headers).end(refusal.body);
    if (method === 'PUT') objects.set(url, body);
    if (method === 'DELETE') objects.delete(url);
    response.end(method === 'GET' ? objects.get(url) : '');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const end = () => {
    server.closeAllConnections();
    server.close();
  };
  ends.push(end);
  return { objects, asked, end, endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

function bucket(changes: Record<string, unknown> = {}): Storage {
  return storage.parse({ type: 's3', bucket: 'lessons', region: 'eu-west-1', prefix: 'school/', ...KEYS, ...changes });
}

async function look(one: Storage, options: Parameters<typeof checkStorages>[2] & { here?: boolean } = {}) {
  const { here = false, ...rest } = options;
  const [result] = await checkStorages({ lessons: one }, here, rest);
  for (const secret of Object.values(KEYS)) expect(JSON.stringify(result)).not.toContain(secret);
  return result;
}

describe('a bucket', () => {
  it('gets an object under its prefix, is read and emptied', async () => {
    const { endpoint, objects, asked } = await serve();
    expect(await look(bucket({ endpoint }))).toEqual({
      name: 'storage lessons',
      ok: true,
      detail: 'bucket lessons: a test object was written, read and deleted',
    });
    expect(objects.size).toBe(0);
    expect(asked.map(({ method }) => method)).toEqual(['PUT', 'GET', 'DELETE']);
    for (const { url, headers } of asked) {
      expect(url).toMatch(/^\/lessons\/school\/\.reelkit-doctor-[0-9a-f]{16}$/);
      expect(headers.authorization).toContain('/eu-west-1/s3/aws4_request');
      expect(headers['x-amz-security-token']).toBe(KEYS.sessionToken);
    }
  });

  it.each([
    ['key id', error(403, 'InvalidAccessKeyId'), /storages\.lessons\.accessKey/],
    ['secret', error(403, 'SignatureDoesNotMatch'), /storages\.lessons\.secret does not belong/],
    ['session token', error(400, 'ExpiredToken'), /storages\.lessons\.sessionToken .* expired/],
    ['bucket', error(404, 'NoSuchBucket'), /no bucket as in storages\.lessons\.bucket/],
    ['right to write', error(403, 'AccessDenied'), /may not write "school\/\.reelkit-.*s3:PutObject/],
    [
      'region',
      error(400, 'AuthorizationHeaderMalformed', '<Region>eu-north-1</Region>'),
      /is in "eu-north-1": write that in storages\.lessons\.region/,
    ],
    [
      'region, by a redirect',
      { status: 301, headers: { 'x-amz-bucket-region': 'eu-north-1', location: 'http://127.0.0.1:1/' } },
      /is in "eu-north-1"/,
    ],
    ['clock', error(403, 'RequestTimeTooSkewed'), /clock/],
    ['endpoint', { status: 404, body: '<html>' }, /storages\.lessons\.endpoint/],
    ['server', error(503, 'SlowDown'), /503 SlowDown: it has a problem of its own/],
  ])('names the key of the configuration for a wrong %s', async (_, reply, remedy) => {
    const { endpoint, asked } = await serve({ PUT: reply });
    const result = await look(bucket({ endpoint }));
    expect(result).toMatchObject({ ok: false, detail: expect.stringMatching(remedy) });
    expect(asked.map(({ method }) => method)).toEqual(reply.status < 500 ? ['PUT'] : ['PUT', 'DELETE']);
  });

  it.each([
    ['GET', /not read: .*s3:GetObject/, 0],
    ['DELETE', /s3:DeleteObject\. "school\/\.reelkit-doctor-[0-9a-f]+" is left behind/, 1],
  ])('that allows no %s is a warning, since workers only write', async (method, told, left) => {
    const { endpoint, objects } = await serve({ [method]: error(403, 'AccessDenied') });
    const result = await look(bucket({ endpoint }));
    expect(result).toMatchObject({ ok: true, warning: true, detail: expect.stringMatching(told) });
    expect(objects.size).toBe(left);
  });

  it('that gives back something else is none', async () => {
    const { endpoint } = await serve({ GET: { status: 200, body: 'x'.repeat(100_000) } });
    expect(await look(bucket({ endpoint }))).toMatchObject({
      ok: false,
      detail: expect.stringMatching(/what was read/),
    });
  });

  it('that does not answer is given up, and what may be there is named', async () => {
    const { endpoint } = await serve({ PUT: 'silence', DELETE: error(403, 'AccessDenied') });
    const result = await look(bucket({ endpoint }), { timeoutMs: 100 });
    expect(result).toMatchObject({ ok: false, detail: expect.stringMatching(/no answer .* may be left behind/) });
  });

  it.each([
    ['is of a port that fetch talks to no server of', 'http://127.0.0.1:1', /cannot be reached \(unknown\)/],
    ['is of no known host', 'http://storage.invalid', /not known here \((ENOTFOUND|EAI_AGAIN)\)/],
  ])('whose server %s is told of by its endpoint', async (_, endpoint, told) => {
    const result = await look(bucket({ endpoint }));
    expect(result).toMatchObject({ ok: false, detail: expect.stringMatching(told) });
    expect(result?.detail).toContain('storages.lessons.endpoint');
  });

  it('whose server does not run is told of, and nothing can be left there', async () => {
    const { endpoint, end } = await serve();
    end();
    const result = await look(bucket({ endpoint }));
    expect(result).toMatchObject({ ok: false, detail: expect.stringMatching(/cannot be reached \(ECONNREFUSED\)/) });
    expect(result?.detail).not.toContain('left behind');
  });

  it('without TLS where the configuration has https is told of', async () => {
    const { endpoint } = await serve();
    const result = await look(bucket({ endpoint: endpoint.replace('http:', 'https:') }));
    expect(result).toMatchObject({ ok: false, detail: expect.stringMatching(/TLS|https/) });
  });

  it('with a key that fits into no header is told of without the key', async () => {
    const { endpoint } = await serve();
    const result = await look(bucket({ endpoint, accessKey: `${KEYS.accessKey}\nx` }));
    expect(result).toMatchObject({ ok: false, detail: expect.stringMatching(/without spaces and line breaks/) });
  });

  it("of Amazon's is asked where it is, when no region is configured, and spoken to there", async () => {
    const urls: string[] = [];
    const send = async ({ method, url }: Request) => {
      urls.push(`${method} ${url.replace(/doctor-.*/, 'doctor')}`);
      return url.endsWith('?location')
        ? new Response(
            '<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/">eu-north-1</LocationConstraint>',
          )
        : new Response('', { status: 403 });
    };
    await look(bucket({ region: '' }), { send });
    expect(urls).toEqual([
      'GET https://lessons.s3.us-east-1.amazonaws.com/?location',
      'PUT https://lessons.s3.eu-north-1.amazonaws.com/school/.reelkit-doctor',
    ]);
  });

  it('of the identity that workers have is not tested', async () => {
    const one = storage.parse({ type: 's3', bucket: 'lessons', workerIdentity: true });
    expect(await look(one)).toMatchObject({ ok: true, detail: expect.stringMatching(/not tested: the identity/) });
  });
});

describe('a folder', () => {
  it('on this machine gets a file, is read and emptied; one that is not there yet is not made', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'reelkit-doctor-'));
    ends.push(() => rm(folder, { recursive: true }));
    const local = (path: string): Storage => ({ type: 'local', path });
    expect(await look(local(folder), { here: true })).toMatchObject({
      ok: true,
      detail: expect.stringMatching(/deleted$/),
    });
    const below = join(folder, 'a', 'b');
    expect(await look(local(below), { here: true })).toMatchObject({
      ok: true,
      detail: expect.stringContaining(below),
    });
    expect(await readdir(folder)).toEqual([]);
    expect(await look(local(join('/dev/null', 'a')), { here: true })).toMatchObject({
      ok: false,
      detail: expect.stringMatching(/ENOTDIR.*storages\.lessons\.path/),
    });
  });

  it("on the workers' machines is not tested", async () => {
    const result = await look({ type: 'local', path: '/recordings' });
    expect(result).toMatchObject({ ok: true, detail: expect.stringMatching(/not tested/) });
  });
});
