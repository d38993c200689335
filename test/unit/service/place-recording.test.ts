// The first look for a worker while a recording is accepted: who finds none begins in the queue.
import { describe, expect, it } from 'vitest';
import type { WorkerChoice } from '../../../src/activities/choose-worker.ts';
import { recordingRequestSchema } from '../../../src/recording/request.ts';
import { createPlaceRecording, type PlaceParts } from '../../../src/service/place-recording.ts';
import type { RecordingInput } from '../../../src/workflows/messages.ts';

const MISSING = { missing: 'no worker is ready' };
const WORKER = { id: 'w1', topic: 'w1' };

function input(change: Partial<RecordingInput> = {}, request: object = {}): RecordingInput {
  return {
    id: 'EG_23456789abcd',
    fleet: 'default',
    request: recordingRequestSchema.parse({ source: { type: 'room', room: 'lesson' }, ...request }),
    costCores: 4,
    requestedAtMs: 0,
    requestHash: 'hash',
    wire: 'wire',
    storages: [],
    origin: 'livekit',
    ...change,
  };
}

const choosing = (choose: WorkerChoice['choose']) => new Map([['default', { choose }]]);

function placing(change: Partial<PlaceParts> = {}) {
  const woken: string[] = [];
  const place = createPlaceRecording({
    choices: choosing(async () => MISSING),
    roomSid: async () => 'RM_1',
    wakeFleet: async (fleet) => void woken.push(fleet),
    ...change,
  });
  return { place, woken };
}

describe('a recording that is accepted', () => {
  it('starts at once where a worker has room', async () => {
    const { place, woken } = placing({ choices: choosing(async () => WORKER) });
    expect(await place(input())).toEqual(input());
    expect(woken).toEqual([]);
  });

  it('begins in the queue with the reason, and the fleet is told, where none has', async () => {
    const { place, woken } = placing();
    expect(await place(input())).toEqual(input({ noRoom: 'no worker is ready' }));
    expect(woken).toEqual(['default']);
  });

  it('is not looked for a worker before it is due', async () => {
    const { place, woken } = placing();
    expect((await place(input({}, { startAt: '2030-01-01T00:00:00Z' }))).noRoom).toBeUndefined();
    expect(woken).toEqual([]);
  });

  it('through the API does not wait for a worker in a room that is not there', async () => {
    const { place, woken } = placing({ roomSid: async () => undefined });
    expect((await place(input({ origin: 'api' }))).noRoom).toBeUndefined();
    expect(woken).toEqual([]);
    expect((await place(input())).noRoom).toBe('no worker is ready');
  });

  it('waits in the room that it saw', async () => {
    const { place } = placing();
    expect((await place(input({ origin: 'api' }))).roomId).toBe('RM_1');
    expect((await place(input({ roomId: 'RM_0' }))).roomId).toBe('RM_0');
  });

  it.each<[string, Partial<PlaceParts>]>([
    ['the look fails', { choices: choosing(() => Promise.reject(new Error('the provider is away'))) }],
    ['the look takes too long', { choices: choosing(() => new Promise(() => {})), limitMs: 10 }],
    ['LiveKit does not answer', { roomSid: () => Promise.reject(new Error('LiveKit is away')) }],
  ])('is accepted, and looked at later, when %s', async (_, change) => {
    const { place } = placing(change);
    expect(await place(input({ origin: 'api' }))).toEqual(input({ origin: 'api' }));
  });

  it('is accepted although the fleet cannot be told', async () => {
    const { place } = placing({ wakeFleet: () => Promise.reject(new Error('no Temporal')) });
    expect((await place(input())).noRoom).toBe('no worker is ready');
  });
});
