// /v1/repair: for operators alone, what is asked for is checked, and what cannot be asked is said.
import { describe, expect, it } from 'vitest';
import { errors } from '../../../src/api/errors.ts';
import { problemOf, startTestApi, tokenFor } from './support.ts';

const record = {
  egressId: 'EG_23456789abcd',
  status: 'EGRESS_ACTIVE',
  changedAtMs: 1,
  witnesses: [{ name: 'room' as const, shows: false, says: 'it has none' }],
  verdict: 'nobody' as const,
};
const nothing = { ended: [], left: [], absent: [] };

describe('/v1/repair', () => {
  it('lists the records with what each witness says, two minutes back by default', async () => {
    const asked: number[] = [];
    const look = async (ms: number) => [record].filter(() => asked.push(ms));
    const api = await startTestApi({ repair: { look, end: async () => nothing } });
    const response = await api.request('/v1/repair');
    expect(await response.json()).toEqual({ records: [record] });
    await api.request('/v1/repair?olderThan=1h');
    expect(asked).toEqual([120_000, 3_600_000]);
  });

  it('ends those that are named', async () => {
    const asked: unknown[] = [];
    const end = async (ids: readonly string[], ms: number) => {
      asked.push([ids, ms]);
      return { ...nothing, ended: [record] };
    };
    const api = await startTestApi({ repair: { look: async () => [], end } });
    const response = await api.post('/v1/repair', { egressIds: ['EG_23456789abcd'], olderThan: '5s' });
    expect(await response.json()).toEqual({ ...nothing, ended: [record] });
    expect(asked).toEqual([[['EG_23456789abcd'], 5_000]]);
  });

  it.each([
    {},
    { egressIds: [] },
    { egressIds: ['EG_a'], olderThan: 'soon' },
    { egressIds: ['EG_a'], olderThan: '10ms' },
  ])('refuses %j', async (body) => {
    const api = await startTestApi();
    const response = await api.post('/v1/repair', body);
    expect(response.status).toBe(422);
    expect((await problemOf(response)).errors?.[0]).toMatchObject({
      field: expect.stringMatching(/^(egressIds|olderThan)$/),
    });
  });

  it('is closed to a token for one room', async () => {
    const api = await startTestApi();
    const token = await tokenFor({ roomRecord: true, room: 'lesson' });
    expect((await api.request('/v1/repair', { token })).status).toBe(403);
    expect((await api.request('/v1/repair', { token, method: 'POST' })).status).toBe(403);
  });

  it('says who could not be asked', async () => {
    const look = () => Promise.reject(errors.witnessUnavailable("LiveKit's Redis cannot be asked: away"));
    const api = await startTestApi({ repair: { look, end: async () => nothing } });
    const response = await api.request('/v1/repair');
    expect(response.status).toBe(503);
    expect(await problemOf(response)).toMatchObject({
      code: 'witness_unavailable',
      detail: expect.stringContaining("LiveKit's Redis cannot be asked: away"),
    });
  });
});
