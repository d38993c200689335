// Does what a splice says: every take becomes a file of its own, and lists of those files become the joined one. Picture and sound stay
// apart until then, because ffmpeg ends both of a file when the first of them is at the end.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { input, runFfmpeg } from './ffmpeg.ts';
import type { Forms, JoinWork, ReadPart } from './forms.ts';
import type { PacketsOfFile } from './packets.ts';
import type { Kind, Splice, Take } from './splice.ts';

type Takes = Splice['takes'];

/** Ticks a second: one clock for the pictures of all parts, whoever wrote them. That of MPEG-TS, so that a rebuilt part keeps its times. */
const VIDEO_CLOCK = 90_000;
const CLOCK = ['-video_track_timescale', `${VIDEO_CLOCK}`];
/** Holes in the sound from this length on are filled with silence when it is encoded anew, and times are kept. Seconds. */
const FILLED_FROM = 0.01;
/** Sound of one form until it is encoded, once for all parts; ffmpeg 5 calls it an experiment in an MP4. */
const LOSSLESS = ['-c:a', 'flac', '-strict', 'experimental'];
const FILL = `async=1:min_hard_comp=${FILLED_FROM}`;

export async function cutParts(work: JoinWork, parts: readonly ReadPart[], takes: Takes, forms: Forms): Promise<void> {
  for (const [index, { file, packets }] of parts.entries()) {
    const outputs = [
      ...takes.video.filter(({ part }) => part === index).flatMap((take) => pictures(work, take, packets, forms)),
      ...takes.audio.filter(({ part }) => part === index).flatMap((take) => sound(work, take, packets, forms)),
    ];
    if (outputs.length > 0) await runFfmpeg(work.tools, [...input(file), ...outputs], work.run);
  }
}

export async function writeJoined(work: JoinWork, takes: Takes, forms: Forms, out: string): Promise<void> {
  const kinds = (['video', 'audio'] as const).filter((kind) => takes[kind].length > 0);
  const inputs: string[] = [];
  for (const kind of kinds) inputs.push(...(await list(work, kind, takes[kind])));
  const maps = kinds.flatMap((_, index) => ['-map', `${index}:0`]);
  const encoded = forms.audio ? ['-af', `aresample=${FILL}`, '-c:a', 'aac', '-b:a', '128k'] : [];
  const output = ['-c', 'copy', ...encoded, ...CLOCK, '-movflags', '+faststart', '-f', 'mp4', `file:${out}`];
  await runFfmpeg(work.tools, [...inputs, ...maps, ...output], work.run);
}

function pictures({ scratch }: JoinWork, take: Take, { video }: PacketsOfFile, { video: form }: Forms): string[] {
  const codec = form ? encodedPictures(form) : ['-c', 'copy'];
  const output = ['-frames:v', `${take.count}`, ...CLOCK, ...bare(scratch, 'video', take)];
  return ['-map', `0:${video?.index}`, ...codec, ...output];
}

/** Without B-frames, times as they are, and with one level for all, so that the parts are alike. */
function encodedPictures({ width, height }: { width: number; height: number }): string[] {
  const fit = `scale=${width}:${height}:force_original_aspect_ratio=decrease:force_divisible_by=2`;
  const filter = `${fit},pad=${width}:${height}:(ow-iw)/2:(oh-ih)/2,setsar=1,format=yuv420p`;
  const level = width * height <= 1_920 * 1_088 ? '4.2' : '5.2';
  const encoder = ['-c:v', 'libx264', '-preset', 'veryfast', '-crf', '20', '-bf', '0', '-level:v', level];
  return ['-vf', filter, '-fps_mode', 'passthrough', '-enc_time_base', `1:${VIDEO_CLOCK}`, ...encoder];
}

function sound({ scratch }: JoinWork, take: Take, { startUs, audio }: PacketsOfFile, { audio: form }: Forms): string[] {
  if (!audio) return [];
  const fromUs = (audio.timesUs[take.skip] ?? 0) - startUs;
  const stream = ['-map', `0:${audio.index}`];
  if (!form) {
    // Half a frame earlier, so that no rounding takes the first one away.
    const from = take.skip > 0 ? ['-ss', seconds(fromUs - audio.lastUs / 2)] : [];
    return [...stream, '-c', 'copy', ...from, '-frames:a', `${take.count}`, ...bare(scratch, 'audio', take)];
  }
  const toUs = (audio.timesUs[take.skip + take.count - 1] ?? 0) + audio.lastUs - startUs;
  const layout = form.channels === 1 ? 'mono' : 'stereo';
  const format = `aresample=${form.sampleRate}:${FILL},aformat=sample_fmts=s16:channel_layouts=${layout}`;
  const filter = `atrim=start=${seconds(fromUs)}:end=${seconds(toUs)},${format}`;
  return [...stream, '-af', filter, ...LOSSLESS, ...bare(scratch, 'audio', take)];
}

/** A file of one stream whose clock begins at 0, whatever the part's was. */
function bare(scratch: string, kind: Kind, take: Take): string[] {
  return ['-use_editlist', '0', '-f', 'mp4', join(scratch, nameOf(kind, take))];
}

function nameOf(kind: Kind, { part }: Take): string {
  return `${kind}-${part}.mp4`;
}

/** A stream of the joined file: its takes one after another, each when it is to be shown. */
async function list({ scratch }: JoinWork, kind: Kind, takes: readonly Take[]): Promise<string[]> {
  const file = join(scratch, `${kind}.ffconcat`);
  const lines = takes.flatMap((take, index) => {
    const next = takes[index + 1];
    return [`file ${nameOf(kind, take)}`, ...(next ? [`duration ${seconds(next.atUs - take.atUs)}`] : [])];
  });
  await writeFile(file, ['ffconcat version 1.0', ...lines, ''].join('\n'));
  return ['-itsoffset', seconds(takes[0]?.atUs ?? 0), '-f', 'concat', ...input(file, 'concat,mov')];
}

function seconds(micros: number): string {
  return (micros / 1_000_000).toFixed(6);
}
