import { describe, expect, it } from 'vitest';
import {
  recordingInput,
  recordingMemo,
  type StartSettings,
  staticDetails,
  staticSummary,
} from '../../../../src/api/recordings/start-recording.ts';
import type { Storage } from '../../../../src/config/storages.ts';
import { DEFAULT_COSTS } from '../../../../src/fleet/cost.ts';
import { decodeStart } from '../../../../src/livekit/request/index.ts';
import { keyword, roomKeyword } from '../../../../src/recording/keywords.ts';
import {
  type RecordingRequest,
  type RecordingRequestInput,
  recordingRequestSchema,
} from '../../../../src/recording/request.ts';

const parse = (input: RecordingRequestInput) => recordingRequestSchema.parse(input);
const LOCAL: Storage = { type: 'local', path: '/recordings' };
const settings: StartSettings = {
  fleets: [{ name: 'default', costs: { ...DEFAULT_COSTS, roomComposite: 3 } }],
  rules: [],
  storages: { disk: LOCAL, other: LOCAL },
  defaultStorage: 'disk',
  pathTemplate: '{room}/{recording}',
  inlineStorage: 'operators',
  webhooks: { receivers: [], denies: () => false },
};
const inRoom = (room: string, more: Partial<RecordingRequestInput> = {}) =>
  parse({ source: { type: 'room', room }, ...more });

/** As if it had been sent with everything that the schema fills in. */
const inputOf = (request: RecordingRequest, as = settings, atMs = 0) =>
  recordingInput('id', request, as, atMs, { apiKey: 'devkey', sent: request });

describe('the files of a recording whose id comes from a key', () => {
  const pathsAt = (atMs: number, isKeyed: boolean, request: RecordingRequest = inRoom('lesson')) => {
    const by = { apiKey: 'devkey', sent: request, isKeyed };
    const { wire } = recordingInput('EG_23456789abcd', request, settings, atMs, by);
    const { request: asked } = decodeStart(Buffer.from(wire, 'base64'));
    if (asked.case !== 'roomComposite') throw new Error(`it asks for ${asked.case}`);
    const { fileOutputs, segmentOutputs, imageOutputs } = asked.value;
    return [
      ...fileOutputs.map(({ filepath }) => filepath),
      ...segmentOutputs.map(({ playlistName }) => playlistName),
      ...imageOutputs.map(({ filenamePrefix }) => filenamePrefix),
    ];
  };

  it('are named after the request as well: a week later the same key overwrites nothing', () => {
    const weekMs = 7 * 86_400_000;
    const outputs: RecordingRequestInput['outputs'] = [
      { type: 'file', path: 'weekly.mp4' },
      { type: 'segments', prefix: 'hls/weekly' },
      { type: 'images', prefix: 'images/{recording}/weekly' },
    ];
    const request = inRoom('lesson', { outputs });
    const [first, later] = [pathsAt(0, true, request), pathsAt(weekMs, true, request)];
    expect(first).toHaveLength(3);
    expect(new Set([...first, ...later]).size).toBe(6);
    expect(pathsAt(0, true)).toEqual(['/recordings/lesson/EG_23456789abcd-19700101T000000.mp4']);
  });

  it('keep to the id where it is of one recording only', () => {
    expect(pathsAt(0, false)).toEqual(['/recordings/lesson/EG_23456789abcd.mp4']);
  });

  it.each([
    ['of a room', inRoom('lesson', { outputs: [{ type: 'file' }, { type: 'segments' }, { type: 'images' }] }), 3],
    ['of a track', parse({ source: { type: 'track', room: 'lesson', trackId: 'TR_a' } }), 1],
  ])("have no manifest of the worker's, whose name would be the id alone: %s", (_, request, outputs) => {
    const manifestsOff = (isKeyed: boolean) => {
      const by = { apiKey: 'devkey', sent: request, isKeyed };
      const { wire } = recordingInput('EG_23456789abcd', request, settings, 0, by);
      const json = decodeStart(Buffer.from(wire, 'base64')).toJsonString();
      return json.split('"disableManifest":true').length - 1;
    };
    expect(manifestsOff(true)).toBe(outputs);
    expect(manifestsOff(false)).toBe(0);
  });
});

describe('what Temporal is asked to start', () => {
  it('carries the cost of the configuration and the hash of the request', () => {
    const input = inputOf(inRoom('lesson'), settings, 1_000);
    expect(input).toMatchObject({ costCores: 3, requestedAtMs: 1_000, fleet: 'default' });
    expect(input.requestHash).toMatch(/^[0-9a-f]{64}$/);
  });

  it('writes the default storage into the request, and leaves the hash to what was sent', () => {
    const input = inputOf(inRoom('lesson'));
    expect(input.request.outputs[0]).toMatchObject({ storage: 'disk' });
    expect(input.storages).toEqual(['disk']);
    const elsewhere = inputOf(inRoom('lesson'), { ...settings, defaultStorage: 'other' });
    expect(elsewhere.requestHash).toBe(input.requestHash);
  });

  it('hashes what was sent: a default that a new version changed makes no repetition another request', () => {
    const by = { apiKey: 'devkey', sent: { source: { type: 'room', room: 'lesson' } } };
    const before = recordingInput('id', inRoom('lesson'), settings, 0, by);
    const changed = { ...inRoom('lesson'), maxDuration: 1, outputs: [{ type: 'images' as const }] };
    expect(recordingInput('id', changed, settings, 0, by).requestHash).toBe(before.requestHash);
  });

  it('shows no stream key, and sends it', () => {
    const request = inRoom('lesson', { outputs: [{ type: 'stream', urls: ['rtmp://h/app/streamkey'] }] });
    const input = inputOf(request);
    expect(JSON.stringify([input.request, recordingMemo(input)])).not.toContain('streamkey');
    expect(Buffer.from(input.wire, 'base64').toString('latin1')).toContain('streamkey');
  });

  it.each([
    ['two tracks', { type: 'tracks', room: 'r', audioTrackId: 'TR_a', videoTrackId: 'TR_v' }, 1],
    ['one track, which is copied', { type: 'tracks', room: 'r', audioTrackId: 'TR_a' }, 0.5],
    ['sound of a room', { type: 'room', room: 'r', audioOnly: true }, 1],
    ['a participant', { type: 'participant', room: 'r', identity: 'i' }, 2],
  ] as const)('costs what a worker will charge: %s', (_, source, cores) => {
    expect(inputOf(parse({ source })).costCores).toBe(cores);
  });

  it('notes the due time only of recordings that are due later', () => {
    const due = (startAt: string) => recordingMemo(inputOf(inRoom('a', { startAt }), settings, 1_000)).startAtMs;
    expect(due('1970-01-01T00:01:00Z')).toBe(60_000);
    expect(due('1970-01-01T00:00:00Z')).toBeUndefined();
  });

  it('has a summary of one line and at most 200 bytes', () => {
    expect(staticSummary(inRoom('lesson'))).toBe('room lesson');
    expect(staticSummary(parse({ source: { type: 'participant', room: 'a', identity: 'b' } }))).toBe(
      'room a, participant b',
    );
    const long = staticSummary(inRoom('☃'.repeat(256)));
    expect(new TextEncoder().encode(long).length).toBeLessThanOrEqual(200);
    expect(long).toMatch(/^room ☃+…$/);
  });

  it('shows no credentials of a web page', () => {
    const request = parse({ source: { type: 'web', url: 'https://user:hunter2@example.com/page?key=hunter2' } });
    expect(staticSummary(request)).toBe('web example.com/page');
    expect(staticDetails(inputOf(request))).not.toContain('hunter2');
  });

  it('keeps Markdown in names from becoming Markdown', () => {
    const details = staticDetails(inputOf(inRoom('a` **b** [c](http://d)')));
    expect(details).toContain('- **room**: `a  **b** [c](http://d)`');
  });

  it('writes search attributes that every visibility store can match', () => {
    expect(keyword('a"b\\c')).toBe('a%22b%5Cc');
    expect(keyword('a\u0000b\ud800c\n')).toBe('a%00b%D800c%0A');
    expect(roomKeyword('x'.repeat(256))).toHaveLength(255);
    expect(roomKeyword('😀'.repeat(256))).toBe('😀'.repeat(255));
  });
});
