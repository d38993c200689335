// Real parts of one event, joined, and looked at picture by picture and tone by tone.
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Tools } from '../../../src/media/ffmpeg.ts';
import { type JoinPart, joinFiles } from '../../../src/media/join.ts';
import { rebuildFile } from '../../../src/media/rebuild.ts';
import * as bed from './bed.ts';

const MOST_OFFSET_MS = 40;
let folder: string;
let made = 0;

const tools = bed.tools as Tools;

describe.skipIf(!bed.tools)(`parts of a recording${bed.whySkipped}`, () => {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'reelkit-join-'));
  });

  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('that overlap by five seconds are joined without a picture missing or doubled', async () => {
    const parts = [await part({ fromSeconds: 0, seconds: 12 }), await part({ fromSeconds: 7.3, seconds: 10 })];
    const { joined, seen, heard } = await joinAll(parts);
    expect(joined).toMatchObject({ copied: true, seams: [{ atMs: 7_300, gapMs: 0 }] });
    expect(Math.abs((joined.seams[0]?.overlapMs ?? 0) - 4_700)).toBeLessThan(25);
    expect(seen.map(({ number }) => number)).toEqual(bed.numbers(0, 17.3));
    expectEvenPictures(seen);
    expectWholeTones(heard, 17);
    expectSoundWithPicture(seen, heard, 16);
  });

  it('are three, in any order, one of them with sound that comes late and one rebuilt from segments', async () => {
    const third = await part({ fromSeconds: 13.7, seconds: 6, gop: 17 });
    const second = await rebuilt({ fromSeconds: 6.2, seconds: 10 });
    const first = await part({ fromSeconds: 0, seconds: 9, soundLateSeconds: 0.08 });
    const late = await part({ fromSeconds: 4, seconds: 3 });
    const { joined, seen, heard } = await joinAll([third, second, late, first]);
    expect(joined).toMatchObject({ copied: true, seams: [{ gapMs: 0 }, { gapMs: 0 }] });
    expect(seen.map(({ number }) => number)).toEqual(bed.numbers(0, 19.7));
    expectEvenPictures(seen);
    expectWholeTones(heard.slice(1), 18);
    expectSoundWithPicture(seen, heard, 18);
  });

  it('may leave a gap: it is closed, and told', async () => {
    const parts = [await rebuilt({ fromSeconds: 0, seconds: 5.5 }), await part({ fromSeconds: 36.2, seconds: 4.8 })];
    const { joined, seen, heard } = await joinAll(parts);
    expect(joined.copied).toBe(true);
    expect(joined.seams).toHaveLength(1);
    expect(Math.abs((joined.seams[0]?.gapMs ?? 0) - 30_700)).toBeLessThan(50);
    expect(Math.abs((joined.seams[0]?.atMs ?? 0) - 5_500)).toBeLessThan(60);
    expect(seen.map(({ number }) => number)).toEqual([...bed.numbers(0, 5.5), ...bed.numbers(36.2, 41)]);
    expect(Math.abs(joined.durationMs - 10_300)).toBeLessThan(80);
    expectGrowing(seen);
    // Seconds 37 to 40 have the tones of 5 to 8.
    const after = heard.filter(({ fromMs }) => fromMs > 6_000).map((tone) => ({ ...tone, second: tone.second + 32 }));
    expectSoundWithPicture(seen, after, 3);
  });

  it('are as many as a recording that was drained again and again', async () => {
    const parts: JoinPart[] = [];
    for (let index = 0; index < 8; index += 1) parts.push(await part({ fromSeconds: index * 1.9, seconds: 2.9 }));
    const { joined, seen, heard } = await joinAll(parts);
    expect(joined).toMatchObject({ copied: true });
    expect(joined.seams).toHaveLength(7);
    expect(seen.map(({ number }) => number)).toEqual(bed.numbers(0, 16.2));
    expectSoundWithPicture(seen, heard.slice(0, 16), 14);
  });

  it('of two sizes become one of the first one’s size, only the pictures encoded anew', async () => {
    const parts = [
      await part({ fromSeconds: 0, seconds: 6 }),
      await part({ fromSeconds: 4, seconds: 6, width: 96, height: 72 }),
    ];
    const { joined, seen, heard } = await joinAll(parts);
    expect(joined).toMatchObject({ copied: false, video: { width: 64, height: 48 }, audio: { codec: 'aac' } });
    expect(seen.map(({ number }) => number)).toEqual(bed.numbers(0, 10));
    expectEvenPictures(seen);
    expectSoundWithPicture(seen, heard, 9);
  });

  it('of two kinds of sound are made one, only the sound encoded anew', async () => {
    const parts = [
      await part({ fromSeconds: 0, seconds: 6 }),
      await part({ fromSeconds: 4.4, seconds: 6, sampleRate: 44_100, channels: 1, soundLateSeconds: 0.05 }),
      await part({ fromSeconds: 9.1, seconds: 3 }),
    ];
    const { joined, seen, heard } = await joinAll(parts);
    expect(joined).toMatchObject({ copied: false, audio: { sampleRate: 48_000, channels: 2 } });
    expect(seen.map(({ number }) => number)).toEqual(bed.numbers(0, 12.1));
    expectWholeTones(heard, 12);
    expectSoundWithPicture(seen, heard, 11);
  });

  it('with B-frames where they must be cut lose no picture', async () => {
    const parts = [
      await part({ fromSeconds: 0, seconds: 5, bFrames: 3 }),
      await part({ fromSeconds: 3.1, seconds: 4, bFrames: 3 }),
    ];
    const { seen, heard } = await joinAll(parts);
    expect(seen.map(({ number }) => number)).toEqual(bed.numbers(0, 7.1));
    expectEvenPictures(seen);
    expectSoundWithPicture(seen, heard, 6);
  });

  it('of sound alone are joined, and so are those of picture alone', async () => {
    const sound = [
      await part({ fromSeconds: 0, seconds: 5, hasVideo: false }),
      await part({ fromSeconds: 3.4, seconds: 4, hasVideo: false }),
    ];
    const heard = (await joinAll(sound)).heard;
    expectWholeTones(heard, 7);
    const picture = [
      await part({ fromSeconds: 0, seconds: 5, hasAudio: false }),
      await part({ fromSeconds: 3.4, seconds: 4, hasAudio: false }),
    ];
    const { seen } = await joinAll(picture);
    expect(seen.map(({ number }) => number)).toEqual(bed.numbers(0, 7.4));
  });

  it('may have no sound in one of them', async () => {
    const parts = [
      await part({ fromSeconds: 0, seconds: 4 }),
      await part({ fromSeconds: 3, seconds: 4, hasAudio: false }),
      await part({ fromSeconds: 6, seconds: 4 }),
    ];
    const { joined, seen, heard } = await joinAll(parts);
    expect(joined.copied).toBe(true);
    expect(seen.map(({ number }) => number)).toEqual(bed.numbers(0, 10));
    expect(heard.map(({ second }) => second)).toEqual([0, 1, 2, 3, 6, 7, 8, 9]);
    expectSoundWithPicture(seen, heard, 6);
  });

  it('alone is a part that plays through', async () => {
    const { joined, seen } = await joinAll([await rebuilt({ fromSeconds: 0, seconds: 5 })]);
    expect(joined).toMatchObject({ copied: true, seams: [] });
    expect(seen.map(({ number }) => number)).toEqual(bed.numbers(0, 5));
  });

  it('that are no media are refused, and nothing of the work stays', async () => {
    const parts = [{ file: import.meta.filename, startedAtMs: bed.EVENT_MS, durationMs: 1_000 }];
    await expect(joinFiles(tools, parts, `${folder}/none.mp4`, { folder })).rejects.toMatchObject({
      code: 'not_media',
    });
    await expect(joinFiles(tools, [], `${folder}/none.mp4`, { folder })).rejects.toMatchObject({ code: 'not_media' });
    expect((await readdir(folder)).filter((name) => name.startsWith('join-'))).toEqual([]);
  });
});

async function part(footage: bed.Footage): Promise<JoinPart> {
  made += 1;
  return partOf(footage, await bed.film(join(folder, `part ${made}'s.mp4`), footage));
}

/** What is left of a part whose worker died. */
async function rebuilt(footage: bed.Footage): Promise<JoinPart> {
  const own = await mkdtemp(join(folder, 'segments-'));
  await rebuildFile(tools, await bed.filmSegments(own, footage), join(own, 'rebuilt.mp4'));
  return partOf(footage, join(own, 'rebuilt.mp4'));
}

function partOf({ fromSeconds, seconds }: bed.Footage, file: string): JoinPart {
  return { file, startedAtMs: bed.EVENT_MS + fromSeconds * 1_000, durationMs: seconds * 1_000 };
}

async function joinAll(parts: readonly JoinPart[]) {
  made += 1;
  const out = join(folder, `joined-${made}.mp4`);
  const joined = await joinFiles(tools, parts, out, { folder });
  await expectPlayable(out);
  return {
    joined,
    seen: joined.video ? await bed.pictures(out) : [],
    heard: joined.audio ? await bed.tones(out) : [],
  };
}

/** Decodes without a complaint, and what a player needs first is at the beginning of the file. */
async function expectPlayable(file: string): Promise<void> {
  const run = promisify(execFile);
  const { stderr } = await run('ffmpeg', ['-v', 'warning', '-xerror', '-i', file, '-f', 'null', '-']);
  expect(stderr).toBe('');
  const { stderr: trace } = await run('ffprobe', ['-v', 'trace', file], { maxBuffer: 2 ** 28 });
  expect(trace.indexOf("type:'moov'")).toBeLessThan(trace.indexOf("type:'mdat'"));
  const packets = ['-show_entries', 'packet=stream_index,dts', '-of', 'csv=p=0', file];
  const last = new Map<string, number>();
  for (const line of (await run('ffprobe', ['-v', 'error', ...packets], { maxBuffer: 2 ** 28 })).stdout.split('\n')) {
    const [stream = '', dts] = line.split(',');
    if (dts) expect(Number(dts)).toBeGreaterThan(last.get(stream) ?? Number.NEGATIVE_INFINITY);
    last.set(stream, Number(dts));
  }
}

function expectGrowing(seen: readonly bed.Seen[]): void {
  for (const [index, { atMs }] of seen.entries()) expect(atMs).toBeGreaterThan(seen[index - 1]?.atMs ?? -1);
}

/** Each is shown as long as the others: a seam is not to be seen. */
function expectEvenPictures(seen: readonly bed.Seen[]): void {
  const stray = seen.map(({ atMs }, index) => Math.abs(atMs - (seen[0]?.atMs ?? 0) - (index * 1_000) / bed.FPS));
  expect(Math.max(...stray)).toBeLessThan(3);
}

function expectWholeTones(heard: readonly bed.Heard[], count: number): void {
  const whole = heard.filter(({ fromMs, toMs }) => Math.abs(toMs - fromMs - 1_000) < 30);
  expect(whole).toHaveLength(count);
}

function expectSoundWithPicture(seen: readonly bed.Seen[], heard: readonly bed.Heard[], seconds: number): void {
  const lateness = bed.soundLatenessMs(seen, heard);
  expect(lateness.length).toBeGreaterThanOrEqual(seconds);
  expect(Math.max(...lateness.map(Math.abs))).toBeLessThan(MOST_OFFSET_MS);
}
