// What needs ffmpeg: a file made again from the segments of a worker that died, and one file of several parts. On a task queue of its
// own, so that it runs where there is ffmpeg, a few at a time. A try that is cut off is made again from the beginning, and writes the
// same file.
import { mkdtemp, readdir, rm, stat, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApplicationFailure, cancellationSignal } from '@temporalio/activity';
import { defined } from '../common/defined.ts';
import type { Storage } from '../config/storages.ts';
import { withFile, withoutFiles } from '../livekit/record.ts';
import { attemptFolder } from '../livekit/request/crash-safe.ts';
import { MediaError, type Tools } from '../media/ffmpeg.ts';
import { type JoinPart, joinFiles } from '../media/join.ts';
import { rebuildFile } from '../media/rebuild.ts';
import type { EgressFile } from '../recording/egress.ts';
import { joinedName, rebuiltName } from '../recording/kept.ts';
import { locationOf } from '../storage/location.ts';
import type { Reach, Store, StoredObject } from '../storage/store.ts';
import type { JoinablePart, JoinedParts, KeptFiles, MediaActivities } from './contract.ts';
import { withHeartbeats } from './heartbeats.ts';
import { inKeptStore } from './kept-store.ts';

export interface MediaDeps {
  tools: Tools;
  storages: Record<string, Storage>;
}

const MP4 = 'video/mp4';
const HEARTBEAT_EVERY_MS = 5_000;
const FOLDER = 'reelkit-media-';
/** Longer than any work on files may take. */
const OLD_MS = 86_400_000;
/** The segments, the file that is made of them, and ffmpeg's second pass over it. */
const DISK_FACTOR = 3;

export function createMediaActivities({ tools, storages }: MediaDeps): MediaActivities {
  return {
    rebuildPart: ({ attempt, filename, report, ...kept }) =>
      inStore(kept, storages, async (store, reach) => {
        const segments = (await store.list(attemptFolder(kept.keepFolder, attempt))).filter(isSegment);
        if (segments.length === 0) return { kind: 'nothing' };
        return inFolder(sum(segments.map(({ sizeBytes }) => sizeBytes)) * DISK_FACTOR, async (folder) => {
          const [raw, out] = [join(folder, 'segments.ts'), join(folder, 'file.mp4')];
          for (const { path } of segments) await store.appendTo(raw, path);
          const { durationMs } = await rebuildFile(tools, raw, out, { signal: cancellationSignal() });
          const file = await putWhole(reach, store, { path: rebuiltName(filename), from: out, durationMs });
          return { kind: 'rebuilt', file, report: withFile(report, file) };
        });
      }),

    joinParts: ({ parts, isAlone, ...kept }) =>
      inStore(kept, storages, async (store, reach) => {
        const sizes = await Promise.all(parts.map(async ({ path }) => (await store.sizeOf(path)) ?? 0));
        return inFolder(sum(sizes) * DISK_FACTOR, async (folder) => {
          const local = parts.map(({ number, startedAtMs, durationMs }): JoinPart => {
            return { file: join(folder, `part-${number}.mp4`), startedAtMs, durationMs };
          });
          for (const [index, { path }] of parts.entries()) await store.appendTo(local[index]?.file ?? '', path);
          const out = join(folder, 'joined.mp4');
          const { durationMs, seams } = await joinFiles(tools, local, out, { folder, signal: cancellationSignal() });
          const file = await putWhole(reach, store, { path: joinedName(parts[0]?.path ?? ''), from: out, durationMs });
          return { file, seams, reports: reportsWith(file, parts, isAlone) };
        });
      }),
  };
}

/** @throws ApplicationFailure when another try would find the same */
function inStore<T>(
  kept: KeptFiles,
  storages: Record<string, Storage>,
  work: (store: Store, reach: Reach) => Promise<T>,
): Promise<T> {
  // ffmpeg is silent for long while it moves the index of a large file to its front.
  return withHeartbeats(HEARTBEAT_EVERY_MS, () =>
    inKeptStore(kept, storages, work).catch((error: unknown) => {
      if (error instanceof MediaError && error.code === 'not_media')
        throw ApplicationFailure.nonRetryable(error.message, 'NotMedia');
      throw error;
    }),
  );
}

/** The last one has it. */
function reportsWith(file: EgressFile, parts: readonly JoinablePart[], alone: boolean): JoinedParts['reports'] {
  const startedAtMs = parts[0]?.startedAtMs;
  return parts.map(({ egressId, report }, index) => {
    const others = alone ? withoutFiles(report) : report;
    const isLast = index === parts.length - 1;
    return {
      egressId,
      report: isLast ? withFile(others, file, { beside: true, ...defined({ startedAtMs }) }) : others,
    };
  });
}

function isSegment({ path, sizeBytes }: StoredObject): boolean {
  return path.endsWith('.ts') && sizeBytes > 0;
}

function sum(bytes: readonly number[]): number {
  return bytes.reduce((total, one) => total + one, 0);
}

interface Made {
  path: string;
  /** Of this machine. */
  from: string;
  durationMs: number;
}

/** @throws when the storage does not hold what was put there */
async function putWhole(reach: Reach, store: Store, { path, from, durationMs }: Made): Promise<EgressFile> {
  const { size: sizeBytes } = await stat(from);
  await store.put(path, from, MP4);
  const stored = await store.sizeOf(path);
  if (stored !== sizeBytes) throw new Error(`${stored ?? 0} of ${sizeBytes} bytes were stored`);
  return { filename: path, location: locationOf(reach, path), sizeBytes, durationMs };
}

/** With room for so much. @throws when the disk has less: another process may have more */
async function inFolder<T>(bytes: number, work: (folder: string) => Promise<T>): Promise<T> {
  const { bavail, bsize } = await statfs(tmpdir());
  if (bavail * bsize < bytes)
    throw new Error(`needs ${bytes} bytes in ${tmpdir()}, ${bavail * bsize} are free; set TMPDIR to a larger disk`);
  const folder = await mkdtemp(join(tmpdir(), FOLDER));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A process that was killed leaves its folder; whoever starts later takes it away. */
export async function removeOldFolders(): Promise<void> {
  const names = (await readdir(tmpdir())).filter((name) => name.startsWith(FOLDER));
  for (const name of names) {
    const folder = join(tmpdir(), name);
    if (Date.now() - (await stat(folder)).mtimeMs > OLD_MS) await rm(folder, { recursive: true, force: true });
  }
}
