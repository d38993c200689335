// /v1/fleets and the fleet of a recording: which one serves it, and what is said of one that is not there.
import { describe, expect, it } from 'vitest';
import type { FleetsView, FleetView } from '../../../src/api/schemas.ts';
import type { RecordingView } from '../../../src/recording/view.ts';
import { problemOf, ROOM_BODY, SETTINGS, startTestApi } from './support.ts';

const fleet = (name: string): FleetView => ({
  name,
  provider: 'static',
  minWorkers: 0,
  maxWorkers: 1,
  workers: [],
  demandCores: 0,
  capacityCores: 0,
  recordings: {},
  decisions: [],
  bootsMs: [],
  problems: [],
});
const readFleets = new Map(['default', 'small'].map((name) => [name, async () => fleet(name)]));
const TRACK = { source: { type: 'tracks', room: 'lesson', audioTrackId: 'TR_a' } };

describe('/v1/fleets', () => {
  it('shows all in the order of the configuration, and each by its name', async () => {
    const api = await startTestApi({ readFleets });
    const { fleets } = (await (await api.request('/v1/fleets')).json()) as FleetsView;
    expect(fleets.map(({ name }) => name)).toEqual(['default', 'small']);
    expect(await (await api.request('/v1/fleets/small')).json()).toMatchObject({ name: 'small' });
  });

  it('names the fleets there are to who asks for another', async () => {
    const api = await startTestApi({ readFleets });
    const response = await api.request('/v1/fleets/gpu');
    expect(response.status).toBe(404);
    expect(await problemOf(response)).toMatchObject({
      code: 'fleet_not_found',
      detail: 'There is no fleet "gpu"; known: default, small.',
    });
  });
});

describe('a worker that was set aside', () => {
  it('is used again when an operator says so, and only one that there is', async () => {
    const asked: string[] = [];
    const forgiveWorker = async (fleet: string, worker: string) => {
      asked.push(`${fleet}/${worker}`);
      return worker === 'w1';
    };
    const api = await startTestApi({ readFleets, forgiveWorker });
    const forgive = (path: string) => api.post(`/v1/fleets/${path}/forgive`, {});
    expect(await (await forgive('small/workers/w1')).json()).toEqual({ fleet: 'small', worker: 'w1' });
    const missing = await forgive('small/workers/w2');
    expect([missing.status, (await problemOf(missing)).code]).toEqual([404, 'worker_not_found']);
    expect((await problemOf(await forgive('gpu/workers/w1'))).code).toBe('fleet_not_found');
    expect(asked).toEqual(['small/w1', 'small/w2']);
  });
});

describe('a worker that is to go', () => {
  it('is drained when an operator says so, and only one that the fleet launched', async () => {
    const asked: string[] = [];
    const drainWorker = async (fleet: string, worker: string) => {
      asked.push(`${fleet}/${worker}`);
      return worker === 'w1';
    };
    const api = await startTestApi({ readFleets, drainWorker });
    const drain = (path: string) => api.post(`/v1/fleets/${path}/drain`, {});
    expect(await (await drain('small/workers/w1')).json()).toEqual({ fleet: 'small', worker: 'w1' });
    const missing = await drain('small/workers/w2');
    expect([missing.status, (await problemOf(missing)).code]).toEqual([404, 'worker_not_found']);
    expect((await problemOf(await drain('gpu/workers/w1'))).code).toBe('fleet_not_found');
    expect(asked).toEqual(['small/w1', 'small/w2']);
  });
});

describe('a recording', () => {
  const settings = {
    ...SETTINGS,
    rules: [{ match: { source: 'tracks' as const }, fleet: 'small', startWithin: 60_000 }],
  };
  const accepted = async (body: object) => {
    const api = await startTestApi({ settings });
    return (await (await api.post('/v1/recordings', body)).json()) as RecordingView;
  };

  it('goes to the first fleet when neither it nor a rule says otherwise', async () => {
    expect((await accepted(ROOM_BODY)).fleet).toBe('default');
  });

  it('goes where a rule sends its source, with the limits of the rule', async () => {
    expect(await accepted(TRACK)).toMatchObject({
      fleet: 'small',
      request: { startWithin: 60_000, maxDuration: 21_600_000 },
    });
  });

  it('says better than any rule which fleet and which limits', async () => {
    const asked = { ...TRACK, fleet: 'default', startWithin: '5m' };
    expect(await accepted(asked)).toMatchObject({ fleet: 'default', request: { startWithin: 300_000 } });
  });

  it('is refused with the fleets there are when it names another', async () => {
    const api = await startTestApi({ settings });
    const response = await api.post('/v1/recordings', { ...ROOM_BODY, fleet: 'gpu' });
    expect(response.status).toBe(422);
    expect(await problemOf(response)).toMatchObject({
      code: 'unknown_fleet',
      errors: [{ field: 'fleet', value: 'gpu', remedy: 'use one of default, small, or leave it out' }],
    });
    expect((await api.request('/v1/recordings?fleet=gpu')).status).toBe(404);
  });

  it('is refused when its labels are too many together with those of the rules', async () => {
    const labels = (prefix: string) =>
      Object.fromEntries(Array.from({ length: 15 }, (_, at) => [`${prefix}${at}`, '']));
    const api = await startTestApi({ settings: { ...SETTINGS, rules: [{ labels: labels('rule') }] } });
    const response = await api.post('/v1/recordings', { ...ROOM_BODY, labels: labels('own') });
    expect(response.status).toBe(422);
    expect((await problemOf(response)).errors?.[0]).toMatchObject({ field: 'labels', message: 'at most 20 labels' });
  });
});
