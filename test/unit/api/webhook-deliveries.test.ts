// How webhooks fared and sending them again: for operators alone, what is asked for is checked. And what a request's own webhook may be.
import { describe, expect, it } from 'vitest';
import { errors } from '../../../src/api/errors.ts';
import { deliveriesTable, failedTable } from '../../../src/cli/webhooks.ts';
import { createAddressGuard } from '../../../src/delivery/address-guard.ts';
import type { EventDeliveries } from '../../../src/recording/webhooks/deliveries.ts';
import type { RecordingInput } from '../../../src/workflows/messages.ts';
import { problemOf, ROOM_BODY, SETTINGS, startTestApi, tokenFor } from './support.ts';

const ID = 'EG_23456789abcd';
const EVENT: EventDeliveries = {
  sequence: 2,
  id: 'EV_23456789abcd_2',
  event: 'recording.started',
  atMs: 1,
  deliveries: [
    { receiver: 'lms', state: 'delivered', tries: 1, triedAtMs: 2, status: 204 },
    {
      receiver: '(request)',
      state: 'failed',
      tries: 3,
      triedAtMs: 2,
      problem: { code: 'gone', message: 'it answered 410' },
    },
  ],
};
const NONE = { show: async () => [], replay: async () => [], failed: async () => [] };

describe('the deliveries of a recording', () => {
  it('are shown to operators', async () => {
    const api = await startTestApi({ deliveries: { ...NONE, show: async () => [EVENT] } });
    const response = await api.request(`/v1/recordings/${ID}/webhooks`);
    expect(await response.json()).toEqual({ events: [EVENT] });
    const token = await tokenFor({ roomRecord: true, room: 'lesson' });
    for (const path of [`/v1/recordings/${ID}/webhooks`, '/v1/webhooks/failed'])
      expect((await api.request(path, { token })).status).toBe(403);
  });

  it('of a recording that there is not are none', async () => {
    const api = await startTestApi();
    expect(await problemOf(await api.request(`/v1/recordings/${ID}/webhooks`))).toMatchObject({
      code: 'recording_not_found',
    });
  });

  it('are sent again as asked', async () => {
    const asked: unknown[] = [];
    const replay = async (id: string, which: object) => [EVENT].filter(() => asked.push([id, which]));
    const api = await startTestApi({ deliveries: { ...NONE, replay } });
    const path = `/v1/recordings/${ID}/webhooks/replay`;
    for (const body of [{}, { sequence: 2 }, { failed: true }])
      expect(await (await api.post(path, body)).json()).toEqual({ events: [EVENT] });
    expect(asked).toEqual([
      [ID, {}],
      [ID, { sequence: 2 }],
      [ID, { failed: true }],
    ]);
    for (const body of [{ sequence: 0 }, { sequence: 'all' }, { sequence: 1, failed: true }, { event: 1 }])
      expect(await problemOf(await api.post(path, body))).toMatchObject({ code: 'invalid_request' });
    const token = await tokenFor({ roomRecord: true, room: 'lesson' });
    expect((await api.request(path, { token, method: 'POST', body: '{}', headers: JSON_TYPE })).status).toBe(403);
    expect(asked).toHaveLength(3);
  });

  it('that do not exist are named', async () => {
    const replay = async (id: string, { sequence }: { sequence?: number }) => {
      throw errors.webhookEventNotFound(id, sequence);
    };
    const api = await startTestApi({ deliveries: { ...NONE, replay } });
    const problem = await problemOf(await api.post(`/v1/recordings/${ID}/webhooks/replay`, { sequence: 9 }));
    expect(problem).toMatchObject({ status: 404, code: 'webhook_event_not_found' });
    expect(problem.detail).toMatch(/no event 9/);
  });

  it('that were given up are listed, and how many', async () => {
    const limits: number[] = [];
    const failed = async (limit: number) => [{ recordingId: ID, endedAtMs: 1 }].filter(() => limits.push(limit));
    const api = await startTestApi({ deliveries: { ...NONE, failed } });
    expect(await (await api.request('/v1/webhooks/failed')).json()).toEqual({
      recordings: [{ recordingId: ID, endedAtMs: 1 }],
    });
    await api.request('/v1/webhooks/failed?limit=7');
    expect(limits).toEqual([50, 7]);
  });

  it('are readable on a terminal', () => {
    const shown = deliveriesTable({ events: [EVENT] }, 60_002);
    expect(shown).toMatch(/^2 +recording\.started +lms +delivered +1 +1m ago +204$/m);
    expect(shown).toMatch(/^2 +recording\.started +\(request\) +failed +3 +1m ago +gone: it answered 410$/m);
    expect(deliveriesTable({ events: [] }, 0)).toMatch(/nobody/);
    expect(failedTable({ recordings: [{ recordingId: ID, endedAtMs: 0 }] }, 60_000)).toMatch(/EG_23456789abcd +1m ago/);
  });
});

const JSON_TYPE = { 'Content-Type': 'application/json' };

describe('the webhook of a request', () => {
  async function asked(body: object, token?: string) {
    const inputs: RecordingInput[] = [];
    const settings = {
      ...SETTINGS,
      webhooks: {
        receivers: [
          { name: 'lms', match: { room: 'les*' } },
          { name: 'exams', match: { room: 'exam' } },
        ],
        denies: createAddressGuard(['10.0.0.0/8', 'hooks.internal']).denies,
      },
    };
    const api = await startTestApi({ settings });
    const { start } = api.recordings;
    api.recordings.start = (input) => {
      inputs.push(input);
      return start(input);
    };
    const send = { method: 'POST', body: JSON.stringify(body), headers: JSON_TYPE };
    const response = await api.request('/v1/recordings', token === undefined ? send : { ...send, token });
    return { api, response, input: inputs[0] };
  }

  it('is told, signed with the key that asked, beside those of the configuration that match', async () => {
    const url = 'https://example.com/hunter2?token=hunter2';
    const { input } = await asked({ ...ROOM_BODY, webhook: { url, events: ['recording.completed'] } });
    expect(input?.receivers).toEqual([
      { kind: 'request', url, events: ['recording.completed'], apiKey: 'devkey' },
      { kind: 'configured', name: 'lms' },
    ]);
  });

  it.each([
    'http://127.0.0.1/',
    'http://localhost:9/',
    'http://169.254.169.254/latest/meta-data',
    'http://[::ffff:192.168.0.1]/',
    'http://[fd00:ec2::254]/',
    'http://2130706433/',
  ])('at %s is refused at once', async (url) => {
    const { response, api } = await asked({ ...ROOM_BODY, webhook: { url } });
    const problem = await problemOf(response);
    expect(problem).toMatchObject({ code: 'invalid_request', errors: [{ field: 'webhook.url', value: '(hidden)' }] });
    expect(problem.errors?.[0]?.remedy).toMatch(/webhooks\.allow/);
    expect(api.recordings.calls).toEqual([]);
  });

  it.each(['http://10.1.2.3/', 'http://hooks.internal/', 'https://example.com/'])('at %s is accepted', async (url) => {
    expect((await asked({ ...ROOM_BODY, webhook: { url } })).response.status).toBe(201);
  });

  it.each(['https://ada:hunter2@example.com/', 'https://ada@example.com/'])(
    'with a login, %s, is refused',
    async (url) => {
      const { response, api } = await asked({ ...ROOM_BODY, webhook: { url } });
      const text = await response.text();
      expect(response.status).toBe(422);
      expect(text).toMatch(/user or a password.*signature/);
      expect(text + api.logged()).not.toMatch(/hunter2|ada/);
    },
  );

  it('and the addresses of pages show no secret: not in the answer, the view, the stream, the list, the memo or the log', async () => {
    const token = await tokenFor({ roomRecord: true, room: 'lesson' });
    const bodies = [
      {
        body: {
          source: { type: 'room', room: 'lesson', customBaseUrl: 'https://ada:hunter2@example.com/t?key=hunter2' },
          webhook: { url: 'https://example.com/hunter2?token=hunter2' },
        },
        token,
      },
      { body: { source: { type: 'web', url: 'https://ada:hunter2@example.com/page?key=hunter2#hunter2' } } },
    ];
    for (const { body, token: own } of bodies) {
      const { api, response, input } = await asked(body, own);
      expect(response.status).toBe(201);
      const id = input?.id ?? '';
      api.recordings.change(id, { stage: 'completed' });
      const read = async (path: string) => (await api.request(path, own === undefined ? {} : { token: own })).text();
      const { memo } = (await api.recordings.peek(id)) ?? {};
      const seen = [
        await response.text(),
        await read(`/v1/recordings/${id}`),
        await read(`/v1/recordings/${id}/events`),
        await read('/v1/recordings'),
        JSON.stringify(memo),
        api.logged(),
      ];
      for (const text of seen) expect(text).not.toContain('hunter2');
      expect(Buffer.from(input?.wire ?? '', 'base64').toString('latin1')).toContain('hunter2');
    }
  });
});
