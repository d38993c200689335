// Runs ffmpeg and ffprobe on files of this machine. Knows nothing of what they are for; what they print is bounded, and an abort
// kills them before it is told.
import { spawn } from 'node:child_process';
import { messageOf } from '../common/error-message.ts';

export interface Tools {
  ffmpeg: string;
  ffprobe: string;
}

export interface RunOptions {
  /** Kills the process (SIGKILL); the run then throws the signal's reason. */
  signal?: AbortSignal | undefined;
  /** Called about twice a second while it works: a heartbeat. */
  onProgress?: ((progress: Progress) => void) | undefined;
}

export interface Progress {
  /** Media written so far by this run of ffmpeg; one job may need several runs. Absent: it reads. */
  outTimeMs?: number;
}

/**
 * no_tool: ffmpeg or ffprobe cannot be run here. not_media: nothing that can be shown or heard is in the file, and trying again finds
 * nothing else. failed: it ran and gave up, for example on a full disk.
 */
export type MediaErrorCode = 'no_tool' | 'not_media' | 'failed';

export class MediaError extends Error {
  readonly code: MediaErrorCode;

  constructor(code: MediaErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'MediaError';
    this.code = code;
  }
}

/** Of what a tool complains: the last is what it died of. */
const STDERR_CHARS = 2_000;
/** What LiveKit's egress writes. Anything else is refused unread: a playlist or a list of files would have ffmpeg open what it names. */
const FORMATS = 'mov,matroska,mpegts,ogg,mp3';

/** @returns undefined unless both are on the PATH (or where the names say) and run */
export async function findTools(names: Partial<Tools> = {}): Promise<Tools | undefined> {
  const tools = { ffmpeg: names.ffmpeg ?? 'ffmpeg', ffprobe: names.ffprobe ?? 'ffprobe' };
  const runs = Object.values(tools).map((tool) => runTool(tool, ['-version'], {}));
  const results = await Promise.allSettled(runs);
  return results.every(({ status }) => status === 'fulfilled') ? tools : undefined;
}

/** @returns what it complained of although it ended well @throws MediaError, or the signal's reason */
export function runFfmpeg(tools: Tools, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const { signal, onProgress } = options;
  const always = ['-hide_banner', '-nostdin', '-nostats', '-loglevel', 'error', '-progress', 'pipe:1', '-y'];
  return runTool(tools.ffmpeg, [...always, ...args], {
    signal,
    onLine: (line) => {
      const [, micros] = /^out_time_us=(\d+)/.exec(line) ?? [];
      if (micros) onProgress?.({ outTimeMs: Math.round(Number(micros) / 1_000) });
    },
  });
}

/** Calls back with every line of its answer. @throws MediaError, or the signal's reason */
export async function runFfprobe(
  tools: Tools,
  args: readonly string[],
  options: { signal?: AbortSignal | undefined; onLine(line: string): void },
): Promise<void> {
  await runTool(tools.ffprobe, ['-v', 'error', ...args], options);
}

/** The arguments that open a file, and nothing but that file. */
export function input(file: string, formats = FORMATS): string[] {
  return ['-protocol_whitelist', 'file', '-format_whitelist', formats, '-i', `file:${file}`];
}

interface ToolRun {
  signal?: AbortSignal | undefined;
  onLine?: (line: string) => void;
}

async function runTool(tool: string, args: readonly string[], { signal, onLine }: ToolRun): Promise<string> {
  signal?.throwIfAborted();
  const child = spawn(tool, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const complaints = lastOf(child.stderr, STDERR_CHARS);
  eachLine(child.stdout, onLine ?? (() => {}));
  const kill = () => child.kill('SIGKILL');
  signal?.addEventListener('abort', kill, { once: true });
  try {
    const ended = await new Promise<number | string>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, killedBy) => resolve(code ?? `${killedBy}`));
    });
    signal?.throwIfAborted();
    if (ended === 0) return complaints();
    throw new MediaError('failed', `${tool} ended with ${ended}: ${complaints() || 'it said nothing'}`);
  } catch (cause) {
    if (cause instanceof MediaError || signal?.aborted) throw cause;
    throw new MediaError('no_tool', `${tool} cannot be run (${messageOf(cause)}): install ffmpeg`, { cause });
  } finally {
    signal?.removeEventListener('abort', kill);
  }
}

function lastOf(stream: NodeJS.ReadableStream, chars: number): () => string {
  let text = '';
  stream.setEncoding('utf8').on('data', (chunk: string) => {
    text = (text + chunk).slice(-chars);
  });
  return () => text.trim();
}

function eachLine(stream: NodeJS.ReadableStream, onLine: (line: string) => void): void {
  let rest = '';
  stream.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) onLine(line);
  });
  stream.on('end', () => rest && onLine(rest));
}
