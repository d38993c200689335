// The pictures that show a recording: which moment each of them is of, as its blocks say.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Tools } from '../../../src/media/ffmpeg.ts';
import { makeSprite, makeThumbnail } from '../../../src/media/pictures.ts';
import { probe } from '../../../src/media/probe.ts';
import * as bed from './bed.ts';

const KEY_SECONDS = 2;
const tools = bed.tools as Tools;
let folder: string;
let film: string;

describe.skipIf(!bed.tools)(`pictures of a recording${bed.whySkipped}`, () => {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'reelkit-pictures-'));
    film = await bed.film(join(folder, 'film.mp4'), { fromSeconds: 0, seconds: 20, gop: KEY_SECONDS * bed.FPS });
  });

  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('are one of a tenth of its length, 640 wide', async () => {
    const out = join(folder, 'thumbnail.jpg');
    await makeThumbnail(tools, film, out);
    const { width, height, numbers } = await bed.sheet(out);
    expect({ width, height }).toEqual({ width: 640, height: 480 });
    expect(Math.abs(((await numbers(640, 480))[0] ?? 0) - 2 * bed.FPS)).toBeLessThanOrEqual(1);
  });

  it.each([1_500, 2_000, 5_000])('are on a sheet, one every %i ms, none more than a key frame off', async (everyMs) => {
    const sprite = await makeSprite(tools, film, { folder, everyMs });
    const { durationMs } = await probe(tools, film);
    const count = Math.ceil(durationMs / everyMs);
    const { numbers } = await bed.sheet(sprite.sheet);
    for (const [index, number] of (await numbers(160, 120)).slice(0, count).entries())
      expect(Math.abs(number / bed.FPS - (index * everyMs) / 1_000)).toBeLessThanOrEqual(KEY_SECONDS);
    expect((await readFile(sprite.cues, 'utf8')).match(/-->/g)).toHaveLength(count);
  });

  it('are not to be had of sound', async () => {
    const sound = await bed.film(join(folder, 'sound.mp4'), { fromSeconds: 0, seconds: 2, hasVideo: false });
    await expect(makeThumbnail(tools, sound, join(folder, 'none.jpg'))).rejects.toMatchObject({ code: 'not_media' });
  });
});
