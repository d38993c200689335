// What `reelkit doctor` says of a bucket of a real S3 server.
import { AwsClient } from 'aws4fetch';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Storage, storage } from '../../../src/config/storages.ts';
import { checkStorages } from '../../../src/service/doctor/storages.ts';
import { hasGo } from '../../support/tools.ts';
import { KEYS, REGION, type S3Server, startS3Server } from './s3-server.ts';

/** May write and read in the bucket "kept", and nothing else. */
const WRITER = { accessKey: 'writer-key', secret: 'writer-secret' };

let server: S3Server;

const isGoThere = await hasGo();
const why = isGoThere ? '' : ' (skipped: Go, which builds it, is missing)';

describe.skipIf(!isGoThere)(`a bucket of a real server${why}`, () => {
  beforeAll(async () => {
    server = await startS3Server(['lessons', 'kept']);
    await prepare();
  });

  afterAll(() => server?.close());

  it('takes the object, gives it back, and is empty again', async () => {
    expect(await look({ forcePathStyle: true })).toEqual({
      name: 'storage lessons',
      ok: true,
      detail: 'bucket lessons: a test object was written, read and deleted',
    });
    expect(await server.objectsIn('lessons')).toEqual([]);
  });

  it('that lets the key delete nothing is a warning with the name of what is left', async () => {
    const result = await look({ ...WRITER, bucket: 'kept' });
    expect(result).toMatchObject({ ok: true, warning: true });
    expect(result?.detail).toContain('403 AccessDenied: the key in storages.lessons.accessKey may not delete');
    const [left] = await server.objectsIn('kept');
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
    expect(await server.objectsIn('lessons')).toEqual([]);
  });
});

async function prepare(): Promise<void> {
  const user = ['--access', WRITER.accessKey, '--secret', WRITER.secret, '--role', 'user'];
  await server.admin('create-user', ...user);
  const allowed = { Principal: { AWS: [WRITER.accessKey] }, Action: ['s3:PutObject', 's3:GetObject'] };
  const policy = { Statement: [{ Effect: 'Allow', ...allowed, Resource: 'arn:aws:s3:::kept/*' }] };
  const owner = { accessKeyId: KEYS.accessKey, secretAccessKey: KEYS.secret, service: 's3', region: REGION };
  const request = { method: 'PUT', body: JSON.stringify(policy) };
  const response = await new AwsClient(owner).fetch(`${server.endpoint}/kept?policy`, request);
  expect({ status: response.status, said: await response.text() }).toEqual({ status: 204, said: '' });
}

async function look(changes: Partial<Extract<Storage, { type: 's3' }>> = {}) {
  const settings = { type: 's3', bucket: 'lessons', region: REGION, prefix: 'school/a b+ü', ...KEYS };
  const [result] = await checkStorages(
    { lessons: storage.parse({ ...settings, endpoint: server.endpoint, ...changes }) },
    false,
  );
  for (const { secret } of [KEYS, WRITER]) expect(result?.detail).not.toContain(secret);
  return result;
}
