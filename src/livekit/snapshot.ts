// LiveKit's EgressInfo cut down to an EgressSnapshot: plain, small, without secrets.
import type { EgressInfo, FileInfo } from '@livekit/protocol';
import { EGRESS_STATUSES, type EgressFile, type EgressSnapshot, type Marker } from '../recording/egress.ts';
import { markerOfPath, markerOfUrl } from './marker.ts';

export function snapshotOf(info: EgressInfo): EgressSnapshot {
  return {
    egressId: info.egressId,
    status: EGRESS_STATUSES[info.status] ?? 'STARTING',
    files: filesOf(info),
    ...present({
      room: info.roomName || undefined,
      marker: markerOf(info),
      // What EgressInfo calls started is when the worker took the request; Chrome may need seconds from there to the first frame.
      acceptedAtMs: toMs(info.startedAt),
      startedAtMs: toMs(resultsOf(info)[0]?.startedAt ?? 0n),
      updatedAtMs: toMs(info.updatedAt),
      endedAtMs: toMs(info.endedAt),
      error: info.error || undefined,
      errorCode: info.errorCode || undefined,
      details: info.details || undefined,
    }),
  };
}

export function markerOf(info: EgressInfo): Marker | undefined {
  const request = info.request.value;
  if (request === undefined || !('webhooks' in request)) return undefined;
  for (const webhook of request.webhooks) {
    const marker = markerOfUrl(webhook.url);
    if (marker) return marker;
  }
  return pathsOf(request)
    .map(markerOfPath)
    .find((marker) => marker !== undefined);
}

/** In the present requests, the one-output form that came before them, and v2's list of outputs of any kind. */
function pathsOf(request: NonNullable<EgressInfo['request']['value']>): string[] {
  const paths: string[] = [];
  if ('fileOutputs' in request) paths.push(...request.fileOutputs.map((output) => output.filepath));
  if ('output' in request && request.output.case === 'file') paths.push(request.output.value.filepath);
  if ('outputs' in request) {
    for (const { config } of request.outputs) if (config.case === 'file') paths.push(config.value.filepath);
  }
  return paths;
}

function filesOf(info: EgressInfo): EgressFile[] {
  return resultsOf(info)
    .filter((file) => file.filename || file.location)
    .map(fileOf);
}

/** Workers before 1.5 fill only the single result. */
function resultsOf({ fileResults, result }: EgressInfo): FileInfo[] {
  if (fileResults.length > 0) return fileResults;
  return result.case === 'file' ? [result.value] : [];
}

function fileOf(file: FileInfo): EgressFile {
  return {
    filename: file.filename,
    location: file.location || file.filename,
    sizeBytes: Number(file.size),
    durationMs: Math.round(Number(file.duration) / 1e6),
  };
}

/** LiveKit's times are unix nanoseconds, 0 when absent. */
function toMs(nanoseconds: bigint): number | undefined {
  return nanoseconds > 0n ? Number(nanoseconds / 1_000_000n) : undefined;
}

function present<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
