// What dead workers leave, real segments torn where a death may tear them, and what is made of it.
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findTools, runFfmpeg, type Tools } from '../../../src/media/ffmpeg.ts';
import { probe } from '../../../src/media/probe.ts';
import { rebuildFile } from '../../../src/media/rebuild.ts';
import * as bed from './bed.ts';

const SECONDS = 11;
const tools = bed.tools as Tools;
let folder: string;
let segments: Buffer;

describe.skipIf(!bed.tools)(`segments of a dead worker${bed.whySkipped}`, () => {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'reelkit-rebuild-'));
    segments = await readFile(await bed.filmSegments(folder, { fromSeconds: 0, seconds: SECONDS }));
  });

  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('that are whole become a file with every picture and second of sound, from 0 on', async () => {
    const { rebuilt, seen, heard } = await rebuildOf(segments);
    expect(rebuilt).toMatchObject({ startMs: 0, video: { codec: 'h264', width: 64 }, audio: { codec: 'aac' } });
    expect(Math.abs(rebuilt.durationMs - SECONDS * 1_000)).toBeLessThan(50);
    expect(seen.map(({ number }) => number)).toEqual(bed.numbers(0, SECONDS));
    expect(heard.map(({ second }) => second)).toEqual(Array.from({ length: SECONDS }, (_, second) => second));
    expect(Math.max(...bed.soundLatenessMs(seen, heard).map(Math.abs))).toBeLessThan(10);
  });

  // Of the last segment, 3 s long, so many hundredths are there; and some bytes, so that packets are torn, too.
  it.each([97, 80, 50, 20, 3])(
    'torn in the last one, lose what was torn off: %i hundredths of it are there',
    async (percent) => {
      const last = segments.length - (await lastSegment());
      const torn = segments.subarray(0, segments.length - last + Math.round((last * percent) / 100) + 77);
      const { seen, heard } = await rebuildOf(torn);
      const expectedSeconds = 8 + (3 * percent) / 100;
      expect(seen.map(({ number }) => number)).toEqual(bed.numbers(0, seen.length / bed.FPS));
      // The key frame at its beginning is as large as many others, and a muxer holds sound back.
      expect(Math.abs(seen.length / bed.FPS - expectedSeconds)).toBeLessThan(0.6);
      expect(Math.abs((heard.at(-1)?.toMs ?? 0) / 1_000 - seen.length / bed.FPS)).toBeLessThan(0.4);
      expect(Math.max(...bed.soundLatenessMs(seen, heard).map(Math.abs))).toBeLessThan(10);
    },
  );

  it('torn in the middle of a picture end before it', async () => {
    const noise = ['-f', 'lavfi', '-i', 'testsrc2=s=160x120:r=30:d=1,noise=alls=40:allf=t', '-f', 'mpegts'];
    const { stdout } = await execa('ffmpeg', ['-v', 'error', ...noise, '-bf', '0', '-c:v', 'libx264', '-'], {
      encoding: 'buffer',
    });
    const counts: number[] = [];
    for (const torn of [0, 1_500])
      counts.push((await rebuildOf(stdout.subarray(0, stdout.length - torn), false)).frames);
    expect(counts).toEqual([30, 29]);
  });

  it('with a hole in the time keep it: the sound after it is with its picture', async () => {
    const [before, after] = [await mkdtemp(join(folder, 'before-')), await mkdtemp(join(folder, 'after-'))];
    const first = await readFile(await bed.filmSegments(before, { fromSeconds: 0, seconds: 4 }));
    const second = await readFile(await bed.filmSegments(after, { fromSeconds: 18, seconds: 4 }, 3_618));
    const { rebuilt, seen, heard } = await rebuildOf(Buffer.concat([first, second]));
    expect(Math.abs(rebuilt.durationMs - 22_000)).toBeLessThan(60);
    expect(Math.max(...bed.soundLatenessMs(seen, heard).map(Math.abs))).toBeLessThan(15);
  });

  it('of which nothing is whole are refused, and no file is left', async () => {
    await writeFile(join(folder, 'torn.ts'), segments.subarray(0, 700));
    const out = join(folder, 'none.mp4');
    await expect(rebuildFile(tools, join(folder, 'torn.ts'), out)).rejects.toMatchObject({ code: 'not_media' });
    expect(await readdir(folder)).not.toContain('none.mp4');
  });
});

describe.skipIf(!bed.tools)(`ffmpeg${bed.whySkipped}`, () => {
  const endless = ['-re', '-f', 'lavfi', '-i', 'testsrc=s=64x48', '-f', 'null', '-'];

  it('is killed by an abort, which tells why', async () => {
    const abort = new AbortController();
    const heartbeats: unknown[] = [];
    const running = runFfmpeg(tools, endless, {
      signal: abort.signal,
      onProgress: (progress) => {
        heartbeats.push(progress);
        if (heartbeats.length === 2) abort.abort(new Error('the recording is cancelled'));
      },
    });
    await expect(running).rejects.toThrow('the recording is cancelled');
    await expect(runFfmpeg(tools, endless, { signal: abort.signal })).rejects.toThrow('the recording is cancelled');
  });

  it('says what it died of, in few words', async () => {
    const failed = runFfmpeg(tools, ['-i', '/nowhere.mp4', '-f', 'null', '-']);
    await expect(failed).rejects.toMatchObject({ code: 'failed', message: expect.stringContaining('No such file') });
    const talking = ['-loglevel', 'trace', '-f', 'lavfi', '-i', 'testsrc=d=1', '-f', 'null', '-'];
    expect((await runFfmpeg(tools, talking)).length).toBeLessThanOrEqual(2_000);
  });

  it('is found where it is, and missed where it is not', async () => {
    expect(await findTools()).toEqual({ ffmpeg: 'ffmpeg', ffprobe: 'ffprobe' });
    expect(await findTools({ ffprobe: 'no-such-ffprobe' })).toBeUndefined();
    await expect(runFfmpeg({ ffmpeg: 'no-such-ffmpeg', ffprobe: '' }, [])).rejects.toMatchObject({ code: 'no_tool' });
  });

  it('finds no media in a text, nothing, and a list of other files', async () => {
    const own = await mkdtemp(join(tmpdir(), 'reelkit-probe-'));
    const list = 'ffconcat version 1.0\nfile /etc/passwd\n';
    const playlist = '#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:1/a.ts\n#EXT-X-ENDLIST\n';
    for (const text of ['a text', '', list, playlist]) {
      await writeFile(join(own, 'no-media.mp4'), text);
      await expect(probe(tools, join(own, 'no-media.mp4'))).rejects.toMatchObject({ code: 'not_media' });
    }
    await rm(own, { recursive: true, force: true });
  });
});

/** Where the last segment begins. */
async function lastSegment(): Promise<number> {
  const names = (await readFile(join(folder, 'list'), 'utf8')).trim().split('\n');
  const last = await readFile(join(folder, names.at(-1) ?? ''));
  return segments.length - last.length;
}

async function rebuildOf(bytes: Uint8Array, isFilm = true) {
  const [file, out] = [join(folder, 'all.ts'), join(folder, 'rebuilt.mp4')];
  await writeFile(file, bytes);
  const rebuilt = await rebuildFile(tools, file, out);
  const { stderr } = await execa('ffmpeg', ['-v', 'error', '-i', out, '-f', 'null', '-']);
  expect(stderr).toBe('');
  const seen = await bed.pictures(out);
  return { rebuilt, seen, frames: seen.length, heard: isFilm ? await bed.tones(out) : [] };
}
