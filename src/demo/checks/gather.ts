// Looks into every recorded file, at most a few at a time, and asks LiveKit what it knows. Judges nothing.

import { isAbsolute, join } from 'node:path';
import { defined } from '../../common/defined.ts';
import { messageOf } from '../../common/error-message.ts';
import { probeMedia, toneFrequency } from '../../dev/media.ts';
import type { RecordedFile, RecordingView } from '../../recording/view.ts';
import type { FileEvidence } from './evidence.ts';

export interface Probes {
  ffmpeg: string;
  ffprobe: string;
  recordingsFolder: string;
}

const filesAtOnce = 3;
const toneSeconds = 2;

export async function lookIntoFiles(
  views: readonly (RecordingView | undefined)[],
  probes: Probes,
): Promise<FileEvidence[][]> {
  const results: FileEvidence[][] = views.map(() => []);
  const waiting = views.map((view, i) => ({ view, i }));
  const work = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const files = (next.view?.parts ?? []).flatMap((part) => part.files);
      for (const file of files) results[next.i]?.push(await lookInto(file, probes));
    }
  };
  await Promise.all(Array.from({ length: filesAtOnce }, work));
  return results;
}

async function lookInto(file: RecordedFile, probes: Probes): Promise<FileEvidence> {
  const name = file.location || file.filename;
  const path = isAbsolute(name) ? name : join(probes.recordingsFolder, name);
  const told = { path, toldDurationMs: file.durationMs };
  try {
    const media = await probeMedia(probes.ffprobe, path);
    const fromSeconds = Math.max(0, media.durationSeconds / 2 - toneSeconds / 2);
    const hasSound = media.streams.some(({ type }) => type === 'audio');
    const toneHz = hasSound
      ? await toneFrequency(probes.ffmpeg, path, { fromSeconds, seconds: toneSeconds })
      : undefined;
    return { ...told, media, ...defined({ toneHz }) };
  } catch (error) {
    return { ...told, problem: messageOf(error) };
  }
}
