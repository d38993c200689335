// What needs ffmpeg: a file made again from the segments of a worker that died, and one file of several parts. On a task queue of its own, so that it runs where
// there is ffmpeg, a few at a time. A try that is cut off is made again from the beginning, and writes the same file.
import { mkdtemp, rm, stat, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApplicationFailure, cancellationSignal, heartbeat } from '@temporalio/activity';
import { defined } from '../common/defined.ts';
import type { Storage } from '../config/storages.ts';
import { withFile, withoutFiles } from '../livekit/record.ts';
import { attemptFolder } from '../livekit/request/crash-safe.ts';
import { decodeStart, reachOf } from '../livekit/request/index.ts';
import type { Tools } from '../media/ffmpeg.ts';
import { type JoinPart, joinFiles } from '../media/join.ts';
import { rebuildFile } from '../media/rebuild.ts';
import type { EgressFile } from '../recording/egress.ts';
import { joinedName, rebuiltName } from '../recording/kept.ts';
import { locationOf } from '../storage/location.ts';
import { openStore } from '../storage/open.ts';
import type { Reach, Store, StoredObject } from '../storage/store.ts';
import type { JoinablePart, JoinedParts, KeptFiles, MediaActivities } from './contract.ts';

export interface MediaDeps {
  tools: Tools;
  storages: Record<string, Storage>;
}

const MP4 = 'video/mp4';
/** The segments, the file that is made of them, and ffmpeg's second pass over it. */
const DISK_FACTOR = 3;

export function createMediaActivities({ tools, storages }: MediaDeps): MediaActivities {
  return {
    async rebuildPart({ attempt, filename, report, ...kept }) {
      const { reach, store } = await openKept(kept, storages);
      try {
        const segments = (await store.list(attemptFolder(kept.keepFolder, attempt))).filter(isSegment);
        if (segments.length === 0) return { kind: 'nothing' };
        return await inFolder(sum(segments) * DISK_FACTOR, async (folder) => {
          const [raw, out] = [join(folder, 'segments.ts'), join(folder, 'file.mp4')];
          for (const { path } of segments) {
            await store.appendTo(raw, path);
            heartbeat();
          }
          const { durationMs } = await rebuildFile(tools, raw, out, {
            signal: cancellationSignal(),
            onProgress: () => heartbeat(),
          });
          const path = rebuiltName(filename);
          const sizeBytes = await putWhole(store, path, out);
          const file = { filename: path, location: locationOf(reach, path), sizeBytes, durationMs };
          return { kind: 'rebuilt', file, report: withFile(report, file) };
        });
      } finally {
        store.close();
      }
    },

    async joinParts({ parts, isAlone, ...kept }) {
      const { reach, store } = await openKept(kept, storages);
      try {
        const sizes = await Promise.all(parts.map(async ({ path }) => (await store.sizeOf(path)) ?? 0));
        return await inFolder(sizes.reduce((total, size) => total + size, 0) * DISK_FACTOR, async (folder) => {
          const local: JoinPart[] = [];
          for (const { number, path, startedAtMs, durationMs } of parts) {
            const file = join(folder, `part-${number}.mp4`);
            await store.appendTo(file, path);
            heartbeat();
            local.push({ file, startedAtMs, durationMs });
          }
          const out = join(folder, 'joined.mp4');
          const signal = cancellationSignal();
          const { durationMs, seams } = await joinFiles(tools, local, out, {
            folder,
            signal,
            onProgress: () => heartbeat(),
          });
          const path = joinedName(parts[0]?.path ?? '');
          const sizeBytes = await putWhole(store, path, out);
          const file = { filename: path, location: locationOf(reach, path), sizeBytes, durationMs };
          return { file, seams, reports: reportsWith(file, parts, isAlone) };
        });
      } finally {
        store.close();
      }
    },
  };
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

/** @throws ApplicationFailure when nobody can get there any more: its storage was taken out of the configuration */
export async function openKept(
  { wire, storages: names }: KeptFiles,
  storages: Record<string, Storage>,
): Promise<{ reach: Reach; store: Store }> {
  const reach = reachOf(decodeStart(new Uint8Array(Buffer.from(wire, 'base64'))), names, storages);
  if (!reach) throw ApplicationFailure.nonRetryable('its storage is not configured any more', 'StorageUnknown');
  return { reach, store: await openStore(reach) };
}

function isSegment({ path, sizeBytes }: StoredObject): boolean {
  return path.endsWith('.ts') && sizeBytes > 0;
}

function sum(objects: readonly StoredObject[]): number {
  return objects.reduce((total, { sizeBytes }) => total + sizeBytes, 0);
}

/** @throws when the storage does not hold what was put there */
async function putWhole(store: Store, path: string, file: string): Promise<number> {
  const { size } = await stat(file);
  await store.put(path, file, MP4);
  const stored = await store.sizeOf(path);
  if (stored !== size) throw new Error(`${stored ?? 0} of ${size} bytes were stored`);
  return size;
}

/** With room for so much. @throws when the disk has less: another process may have more */
async function inFolder<T>(bytes: number, work: (folder: string) => Promise<T>): Promise<T> {
  const { bavail, bsize } = await statfs(tmpdir());
  if (bavail * bsize < bytes)
    throw new Error(`needs ${bytes} bytes in ${tmpdir()}, ${bavail * bsize} are free; set TMPDIR to a larger disk`);
  const folder = await mkdtemp(join(tmpdir(), 'reelkit-media-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
