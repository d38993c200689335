// Storages that a request brings itself: who may, what is said of a wrong one, and that their keys are in nothing that is shown.
import { describe, expect, it } from 'vitest';
import { recordingInput } from '../../../src/api/recordings/start-recording.ts';
import { recordingRequestSchema } from '../../../src/recording/request.ts';
import { API_KEY, problemOf, SETTINGS, startTestApi, tokenFor } from './support.ts';

const S3 = {
  type: 's3',
  bucket: 'b',
  accessKey: 'PLANTEDKEY',
  secret: 'planted-secret',
  sessionToken: 'planted-token',
} as const;
const STORAGES = [
  S3,
  { type: 's3', bucket: 'b', assumeRoleArn: 'arn', assumeRoleExternalId: 'planted-external' },
  { type: 'gcs', bucket: 'b', credentials: '{"private_key":"planted-key"}' },
  { type: 'azure', accountName: 'planted-account', accountKey: 'planted-key', containerName: 'c' },
  { type: 'alioss', bucket: 'b', accessKey: 'PLANTEDKEY', secret: 'planted-secret', endpoint: 'https://e' },
] as const;
const body = (storage: unknown) => ({
  source: { type: 'room', room: 'lesson' },
  outputs: [{ type: 'segments' }, { type: 'file', storage }],
});
const PLANTED = /planted/i;

describe('a storage of its own', () => {
  it.each(STORAGES)('is taken from an operator, and shown without its keys: $type', async (storage) => {
    const api = await startTestApi();
    const response = await api.post('/v1/recordings', body(storage));
    expect(response.status).toBe(201);
    const view = await response.text();
    expect(view).toContain(`"type":"${storage.type}"`);
    expect(view).not.toMatch(PLANTED);
    expect(api.logged()).not.toMatch(PLANTED);
    const input = recordingInput('EG_23456789abcd', recordingRequestSchema.parse(body(storage)), SETTINGS, 0, {
      apiKey: API_KEY,
      sent: body(storage),
    });
    const { wire, ...rest } = input;
    expect(JSON.stringify(rest)).not.toMatch(PLANTED);
    expect(Buffer.from(wire, 'base64').toString('latin1')).toMatch(PLANTED);
    expect(input.storages).toEqual([null, 'local']);
  });

  it.each([
    ['operators', 'lesson', 403],
    ['operators', undefined, 201],
    ['all', 'lesson', 201],
    ['none', undefined, 403],
    ['none', 'lesson', 403],
  ] as const)('where api.inlineStorage is %s, from a token for room %s: %i', async (inlineStorage, room, status) => {
    const api = await startTestApi({ settings: { ...SETTINGS, inlineStorage } });
    const token = await tokenFor({ roomRecord: true, ...(room === undefined ? {} : { room }) });
    const response = await api.request('/v1/recordings', {
      method: 'POST',
      token,
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body(S3)),
    });
    expect(response.status).toBe(status);
    if (status === 201) return;
    const problem = await problemOf(response);
    expect(problem).toMatchObject({ code: 'forbidden' });
    expect(problem.detail).toContain(`outputs.1.storage:`);
    expect(problem.detail).toContain(`api.inlineStorage is "${inlineStorage}"`);
    expect(JSON.stringify(problem)).not.toMatch(PLANTED);
  });

  it.each([
    [{ ...S3, bucket: undefined }, 'outputs.1.storage.bucket'],
    [{ ...S3, password: 'planted-password' }, 'outputs.1.storage.password'],
    [{ ...S3, secret: ['planted'] }, 'outputs.1.storage.secret'],
    [{ type: 'azure', accountName: 'planted' }, 'outputs.1.storage.accountKey'],
    [{ type: 'local', path: '/planted' }, 'outputs.1.storage.type'],
    [7, 'outputs.1.storage'],
    ['', 'outputs.1.storage'],
  ])('that is wrong is named by its field, without its value: %j', async (storage, field) => {
    const api = await startTestApi();
    const response = await api.post('/v1/recordings', body(storage));
    expect(response.status).toBe(422);
    const problem = await problemOf(response);
    expect(problem.errors?.map((one) => one.field)).toContain(field);
    expect(JSON.stringify(problem)).not.toMatch(PLANTED);
    expect(api.logged()).not.toMatch(PLANTED);
  });

  it('again with the same key is the same recording, and with other keys another request', async () => {
    const api = await startTestApi();
    const key = { 'Idempotency-Key': 'k1' };
    expect((await api.post('/v1/recordings', body(S3), key)).status).toBe(201);
    expect((await api.post('/v1/recordings', body(S3), key)).status).toBe(200);
    expect((await api.post('/v1/recordings', body({ ...S3, secret: 'another' }), key)).status).toBe(409);
  });
});
