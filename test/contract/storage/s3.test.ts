// What `reelkit doctor` says of a bucket of a real S3 server: versitygw on a folder of this machine, built on demand from
// tools/versitygw; the first time takes minutes.
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AwsClient } from 'aws4fetch';
import { execa, type ResultPromise } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Storage, storage } from '../../../src/config/storages.ts';
import { endAtExit } from '../../../src/dev/last-resort.ts';
import { freePorts } from '../../../src/dev/ports.ts';
import { checkStorages } from '../../../src/service/doctor/storages.ts';
import { waitFor } from '../../support/stack-wait.ts';
import { buildGoTool, hasGo } from '../../support/tools.ts';

const REGION = 'eu-west-1';
const KEYS = { accessKey: 'lessons-key', secret: 'lessons-secret' };
/** May write and read in the bucket "kept", and nothing else. */
const WRITER = { accessKey: 'writer-key', secret: 'writer-secret' };

let folder: string;
let endpoint: string;
let server: ResultPromise;

const isGoThere = await hasGo();
const why = isGoThere ? '' : ' (skipped: Go, which builds it, is missing)';

describe.skipIf(!isGoThere)(`a bucket of a real server${why}`, () => {
  beforeAll(async () => {
    const binary = await buildGoTool('versitygw', 'github.com/versity/versitygw/cmd/versitygw');
    folder = await mkdtemp(join(tmpdir(), 'reelkit-s3-'));
    for (const name of ['buckets/lessons', 'buckets/kept', 'sidecar', 'users'])
      await mkdir(join(folder, name), { recursive: true });
    await serve(binary);
    await prepare(binary);
  });

  afterAll(async () => {
    server?.kill('SIGKILL');
    await server;
    if (folder) await rm(folder, { recursive: true, force: true });
  });

  it('takes the object, gives it back, and is empty again', async () => {
    expect(await look({ forcePathStyle: true })).toEqual({
      name: 'storage lessons',
      ok: true,
      detail: 'bucket lessons: a test object was written, read and deleted',
    });
    expect(await objectsIn('lessons')).toEqual([]);
  });

  it('that lets the key delete nothing is a warning with the name of what is left', async () => {
    const result = await look({ ...WRITER, bucket: 'kept' });
    expect(result).toMatchObject({ ok: true, warning: true });
    expect(result?.detail).toContain('403 AccessDenied: the key in storages.lessons.accessKey may not delete');
    const [left] = await objectsIn('kept');
    expect(left).toMatch(/^\.reelkit-doctor-/);
    expect(result?.detail).toContain(`/${left}" is left behind`);
  });

  it.each([
    ['secret', { secret: 'another' }, /403 SignatureDoesNotMatch: storages\.lessons\.secret/],
    ['key id', { accessKey: 'another' }, /403 InvalidAccessKeyId: .*storages\.lessons\.accessKey/],
    ['right to write', WRITER, /403 AccessDenied: .* may not write .*s3:PutObject/],
    ['bucket', { bucket: 'nowhere' }, /404 NoSuchBucket: .*storages\.lessons\.bucket/],
    ['region', { region: 'eu-north-1' }, /"eu-west-1": write that in storages\.lessons\.region/],
  ])('is told of by the key of the configuration with a wrong %s', async (_, changes, told) => {
    expect(await look(changes)).toMatchObject({ ok: false, detail: expect.stringMatching(told) });
    expect(await objectsIn('lessons')).toEqual([]);
  });
});

async function serve(binary: string): Promise<void> {
  const [port] = await freePorts(1);
  endpoint = `http://127.0.0.1:${port}`;
  const users = ['--iam-dir', join(folder, 'users')];
  const settings = ['--port', `127.0.0.1:${port}`, '--region', REGION, '--quiet', '--health', '/health', ...users];
  // Not every file system of a temporary folder has extended attributes.
  const backend = ['posix', '--sidecar', join(folder, 'sidecar'), join(folder, 'buckets')];
  const env = { ROOT_ACCESS_KEY_ID: KEYS.accessKey, ROOT_SECRET_ACCESS_KEY: KEYS.secret };
  server = execa(binary, [...settings, ...backend], { env, reject: false, stdio: 'ignore' });
  endAtExit(() => server.kill('SIGKILL'));
  await waitFor(
    'the S3 server answers',
    () => fetch(`${endpoint}/health`),
    ({ ok }) => ok,
    30_000,
  );
}

async function prepare(binary: string): Promise<void> {
  const admin = ['--access', KEYS.accessKey, '--secret', KEYS.secret, '--region', REGION, '--endpoint-url', endpoint];
  const user = ['--access', WRITER.accessKey, '--secret', WRITER.secret, '--role', 'user'];
  await execa(binary, ['admin', ...admin, 'create-user', ...user]);
  const allowed = { Principal: { AWS: [WRITER.accessKey] }, Action: ['s3:PutObject', 's3:GetObject'] };
  const policy = { Statement: [{ Effect: 'Allow', ...allowed, Resource: 'arn:aws:s3:::kept/*' }] };
  const owner = { accessKeyId: KEYS.accessKey, secretAccessKey: KEYS.secret, service: 's3', region: REGION };
  const request = { method: 'PUT', body: JSON.stringify(policy) };
  const response = await new AwsClient(owner).fetch(`${endpoint}/kept?policy`, request);
  expect({ status: response.status, said: await response.text() }).toEqual({ status: 204, said: '' });
}

async function look(changes: Partial<Extract<Storage, { type: 's3' }>> = {}) {
  const settings = { type: 's3', bucket: 'lessons', region: REGION, prefix: 'school/a b+ü', ...KEYS };
  const [result] = await checkStorages({ lessons: storage.parse({ ...settings, endpoint, ...changes }) }, false);
  for (const { secret } of [KEYS, WRITER]) expect(result?.detail).not.toContain(secret);
  return result;
}

async function objectsIn(bucket: string): Promise<string[]> {
  const entries = await readdir(join(folder, 'buckets', bucket), { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
}
