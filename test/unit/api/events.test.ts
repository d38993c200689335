import { AccessToken } from 'livekit-server-sdk';
import { describe, expect, it } from 'vitest';
import { errors } from '../../../src/api/errors.ts';
import { eventData } from '../../../src/cli/client.ts';
import type { RecordingView } from '../../../src/recording/view.ts';
import { API_KEY, API_SECRET, problemOf, ROOM_BODY, startTestApi, type TestApi, tokenFor } from './support.ts';

async function follow(api: TestApi, headers: Record<string, string> = {}) {
  const { id } = (await (await api.post('/v1/recordings', ROOM_BODY)).json()) as RecordingView;
  const response = await api.request(`/v1/recordings/${id}/events`, { headers });
  const events = eventData(response.body as AsyncIterable<Uint8Array>);
  const next = async () => {
    const { value, done } = await events.next();
    return done ? undefined : (JSON.parse(value) as RecordingView).stage;
  };
  return { id, response, next };
}

const elapse = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe('GET /v1/recordings/:id/events', () => {
  it('sends the recording as it is, then each change, and ends with it', async () => {
    const api = await startTestApi();
    const { id, response, next } = await follow(api);
    expect(response.headers.get('content-type')).toMatch('text/event-stream');
    expect(await next()).toBe('starting');
    api.recordings.change(id, { stage: 'recording' });
    expect(await next()).toBe('recording');
    api.recordings.change(id, { stage: 'completed' });
    expect(await next()).toBe('completed');
    expect(await next()).toBeUndefined();
  });

  it('does not ask for the whole recording while nothing changes', async () => {
    const api = await startTestApi();
    const { next } = await follow(api);
    await next();
    await elapse(1_500);
    expect(api.recordings.calls.filter((call) => call === 'show')).toHaveLength(1);
  });

  it('says nothing when something changed that the recording does not show', async () => {
    const api = await startTestApi();
    const { id, next } = await follow(api);
    await next();
    api.recordings.change(id, {});
    await elapse(1_200);
    api.recordings.change(id, { stage: 'failed' });
    expect(await next()).toBe('failed');
  });

  it('stays open while Temporal is away', async () => {
    const api = await startTestApi();
    const { id, next } = await follow(api);
    await next();
    api.recordings.failure = errors.temporalUnavailable(new Error('away'));
    await elapse(1_200);
    api.recordings.change(id, { stage: 'cancelled' });
    api.recordings.failure = undefined;
    expect(await next()).toBe('cancelled');
  });

  it('stops asking when the client is gone', async () => {
    const api = await startTestApi();
    const { id } = (await (await api.post('/v1/recordings', ROOM_BODY)).json()) as RecordingView;
    const gone = new AbortController();
    await api.request(`/v1/recordings/${id}/events`, { signal: gone.signal });
    gone.abort();
    await elapse(200);
    const { length } = api.recordings.calls;
    await elapse(1_300);
    expect(api.recordings.calls.length).toBe(length);
  });

  it('ends when the process shuts down', async () => {
    const api = await startTestApi();
    const { next } = await follow(api);
    await next();
    api.stop.abort();
    expect(await next()).toBeUndefined();
  });

  it('ends an EventSource that reconnects after the end with 204, whatever the workflow wrote meanwhile', async () => {
    const api = await startTestApi();
    const { id } = (await (await api.post('/v1/recordings', ROOM_BODY)).json()) as RecordingView;
    api.recordings.change(id, { stage: 'completed' });
    const stream = await (await api.request(`/v1/recordings/${id}/events`)).text();
    api.recordings.change(id, {});
    const lastId = stream.match(/^id: (.*)$/m)?.[1] ?? '';
    const again = (lastEventId: string) =>
      api.request(`/v1/recordings/${id}/events`, { headers: { 'Last-Event-ID': lastEventId } });
    expect((await again(lastId)).status).toBe(204);
    expect((await again('1')).status).toBe(200);
  });

  it('has one reader for all who follow a recording', async () => {
    const api = await startTestApi();
    const { id } = (await (await api.post('/v1/recordings', ROOM_BODY)).json()) as RecordingView;
    const streams = await Promise.all(
      Array.from({ length: 50 }, async () => {
        const response = await api.request(`/v1/recordings/${id}/events`);
        return eventData(response.body as AsyncIterable<Uint8Array>);
      }),
    );
    const stages = () =>
      Promise.all(streams.map(async (one) => (JSON.parse((await one.next()).value ?? '{}') as RecordingView).stage));
    expect(new Set(await stages())).toEqual(new Set(['starting']));
    api.recordings.change(id, { stage: 'recording' });
    expect(new Set(await stages())).toEqual(new Set(['recording']));
    const asked = (what: string) => api.recordings.calls.filter((call) => call === what).length;
    expect(asked('show')).toBe(2);
    expect(asked('peek')).toBeLessThan(10);
  });

  it('is open a limited number of times for a caller, who may open another when one has closed', async () => {
    const api = await startTestApi({ streamsPerCaller: 2 });
    const { id } = (await (await api.post('/v1/recordings', ROOM_BODY)).json()) as RecordingView;
    const gone = new AbortController();
    const open = (init = {}) => api.request(`/v1/recordings/${id}/events`, init);
    await open({ signal: gone.signal });
    await open();
    const refused = await open();
    expect(await problemOf(refused)).toMatchObject({ status: 429, code: 'too_many_requests' });
    expect((await open({ token: await tokenFor({ roomRecord: true, room: 'lesson' }) })).status).toBe(200);
    gone.abort();
    await expect.poll(async () => (await open()).status).toBe(200);
  });

  it('holds no place for a recording that is not there', async () => {
    const api = await startTestApi({ streamsPerCaller: 1 });
    for (let round = 0; round < 3; round += 1)
      expect((await api.request('/v1/recordings/EG_nothing/events')).status).toBe(404);
  });

  it('ends when the access token expires', async () => {
    const api = await startTestApi();
    const { id } = (await (await api.post('/v1/recordings', ROOM_BODY)).json()) as RecordingView;
    const token = new AccessToken(API_KEY, API_SECRET, { identity: 'tester', ttl: 1 });
    token.addGrant({ roomRecord: true });
    const response = await api.request(`/v1/recordings/${id}/events`, { token: await token.toJwt() });
    expect(await response.text()).toContain('"starting"');
  });

  it('answers 404 for a recording that is not there', async () => {
    const api = await startTestApi();
    expect((await api.request('/v1/recordings/nothing/events')).status).toBe(404);
  });
});
