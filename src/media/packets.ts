// When each frame of a file is shown or heard, as ffprobe tells it: what a cut by copying has to go by. Reads the whole file, decodes
// nothing.

import { input, MediaError, type RunOptions, runFfprobe, type Tools } from './ffmpeg.ts';
import { noMedia } from './probe.ts';

/** One stream. A packet is one picture, or one frame of sound. */
export interface Packets {
  /** Presentation times (microseconds of the file's own clock), in the order in which they are decoded. Never empty. */
  timesUs: number[];
  /** How long the last one lasts: of sound a whole frame, also where the file says that only some of it is to be heard. */
  lastUs: number;
  /** So many at the beginning are only there to get the decoder going (an AAC encoder's priming): nobody hears them. */
  silent: number;
}

interface VideoStream extends Packets {
  /** Of the stream in its file. */
  index: number;
  codec: string;
  width: number;
  height: number;
  pixels: string;
}

interface AudioStream extends Packets {
  index: number;
  codec: string;
  profile: string;
  sampleRate: number;
  channels: number;
}

export interface PacketsOfFile {
  /** Where the file's own clock begins. */
  startUs: number;
  video?: VideoStream;
  audio?: AudioStream;
}

const FIELDS = [
  'packet=codec_type,stream_index,pts_time,duration_time,flags',
  'stream=index,codec_type,codec_name,profile,width,height,pix_fmt,sample_rate,channels',
  'format=start_time',
].join(':');

type Row = Record<string, string>;

/** @throws MediaError when there is neither picture nor sound in it */
export async function readPackets(
  tools: Tools,
  file: string,
  { signal, onProgress }: RunOptions,
): Promise<PacketsOfFile> {
  const packets = new Map<string, Packets>();
  const streams: Row[] = [];
  let startUs = 0;
  let rows = 0;
  const onLine = (line: string) => {
    const [section, ...fields] = line.split('|');
    const row: Row = Object.fromEntries(fields.map((field) => field.split('=', 2)));
    if (section === 'packet') addPacket(packets, row);
    if (section === 'stream') streams.push(row);
    if (section === 'format') startUs = microsOf(row.start_time) ?? 0;
    rows += 1;
    if (rows % PROGRESS_ROWS === 0) onProgress?.({});
  };
  try {
    await runFfprobe(tools, ['-of', 'compact', '-show_entries', FIELDS, ...input(file)], { signal, onLine });
  } catch (error) {
    if (error instanceof MediaError && error.code === 'failed') throw noMedia(file, error.message);
    throw error;
  }
  const video = streams.find((row) => row.codec_type === 'video' && packets.has(row.index ?? ''));
  const audio = streams.find((row) => row.codec_type === 'audio' && packets.has(row.index ?? ''));
  if (!video && !audio) throw noMedia(file, 'neither picture nor sound is in it');
  return {
    startUs,
    ...(video && { video: { ...packetsOf(video, packets), ...videoOf(video) } }),
    ...(audio && { audio: { ...packetsOf(audio, packets), ...audioOf(audio) } }),
  };
}

/** Some minutes of media: often enough for a heartbeat. */
const PROGRESS_ROWS = 20_000;

function addPacket(packets: Map<string, Packets>, row: Row): void {
  const timeUs = microsOf(row.pts_time);
  if (timeUs === undefined) return;
  const index = row.stream_index ?? '';
  const known = packets.get(index) ?? { timesUs: [], lastUs: 0, silent: 0 };
  packets.set(index, known);
  if (row.flags?.includes('D') && known.silent === known.timesUs.length) known.silent += 1;
  known.timesUs.push(timeUs);
  if (row.codec_type === 'video' || !known.lastUs) known.lastUs = microsOf(row.duration_time) ?? known.lastUs;
}

function packetsOf(row: Row, packets: Map<string, Packets>): Packets {
  return packets.get(row.index ?? '') as Packets;
}

function videoOf(row: Row) {
  return {
    index: Number(row.index),
    codec: row.codec_name ?? '',
    width: Number(row.width),
    height: Number(row.height),
    pixels: row.pix_fmt ?? '',
  };
}

function audioOf(row: Row) {
  return {
    index: Number(row.index),
    codec: row.codec_name ?? '',
    profile: row.profile ?? '',
    sampleRate: Number(row.sample_rate),
    channels: Number(row.channels),
  };
}

function microsOf(seconds: string | undefined): number | undefined {
  const micros = Math.round(Number(seconds) * 1_000_000);
  return Number.isFinite(micros) ? micros : undefined;
}
