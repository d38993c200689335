// What became of a part's files: in which storage they are, and what is missing of them. Pure.

import { formatDuration } from './duration.ts';
import type { EgressFile, EgressReport } from './egress.ts';
import type { RecordingOutput } from './request.ts';
import { isInline } from './request-storage.ts';
import type { PartView, PartWarning, RecordedFile } from './view.ts';

/** Names in place of a configured storage's, which no configuration may use. */
export const STORAGE_WORDS = {
  /** The request brought it. */
  inline: 'inline',
  /** LiveKit was asked: as that request says, else the worker's own. */
  livekit: 'livekit',
  /** The worker's `backup`: it could not write where it should. */
  backup: 'backup',
  /** Some outputs are in the worker's `backup`, and it does not say which; the location tells. */
  unknown: 'unknown',
} as const;

/** A file may be so much shorter than its part: until the first frame is drawn, and after the last packet. */
export const FILE_TOLERANCE_MS = 10_000;

/** @param asked of the request. @param origin whom it came to */
export function storedFiles(
  { files, backup }: EgressReport,
  asked: readonly RecordingOutput[],
  origin: 'api' | 'livekit',
): RecordedFile[] {
  const storage = storageOf(backup, asked, origin);
  return files.filter(({ sizeBytes }) => sizeBytes > 0).map((file) => ({ ...file, storage }));
}

/** One that no worker wrote. */
export function storedFile(
  file: EgressFile,
  asked: readonly RecordingOutput[],
  origin: 'api' | 'livekit',
): RecordedFile {
  return { ...file, storage: storageOf(undefined, asked, origin) };
}

function storageOf(
  backup: EgressReport['backup'],
  asked: readonly RecordingOutput[],
  origin: 'api' | 'livekit',
): string {
  if (backup) return backup === 'all' ? STORAGE_WORDS.backup : STORAGE_WORDS.unknown;
  if (origin === 'livekit') return STORAGE_WORDS.livekit;
  const file = asked.find((output) => output.type === 'file');
  if (!file || isInline(file.storage)) return STORAGE_WORDS.inline;
  return file.storage ?? STORAGE_WORDS.unknown;
}

/** @param part with its files and times */
export function warningsOf(part: PartView, { backup }: EgressReport): PartWarning[] {
  const warnings: PartWarning[] = [];
  if (backup) warnings.push({ code: 'backup_storage_used', message: BACKUP[backup] });
  const { startedAtMs, endingAtMs } = part;
  const longestMs = Math.max(...part.files.map(({ durationMs }) => durationMs));
  if (startedAtMs === undefined || endingAtMs === undefined || longestMs === -Infinity) return warnings;
  const lastedMs = endingAtMs - startedAtMs;
  if (lastedMs - longestMs > FILE_TOLERANCE_MS) {
    const [held, lasted] = [longestMs, lastedMs].map(formatDuration);
    const message = `the file holds ${held} of the ${lasted} that were recorded: nobody sent anything for the rest, or the worker lost it; its log tells`;
    warnings.push({ code: 'file_shorter', message });
  }
  return warnings;
}

const BACKUP = {
  all: 'the worker could not write where it should, and used the backup storage of its own configuration: fetch the file from there',
  some: 'the worker could not write all outputs where it should, and used the backup storage of its own configuration for some: their locations tell which',
};
