// LiveKit's record of a recording: what it says when the request is accepted, what a worker reported, and the one record that the
// reports of all attempts make together. Pure; the request in it is the one that was asked for, without its secrets.
import { EgressInfo, EgressSourceType, EgressStatus, type FileInfo, StreamInfo, StreamInfo_Status } from '@livekit/protocol';
import { EGRESS_STATUSES, type EgressFile, type EgressReport } from '../recording/egress.ts';
import type { RecordFacts } from '../recording/record-state.ts';
import { roomOf } from '../recording/source.ts';
import { forAttempt, sourceOf, StartMessage } from './request/index.ts';
import { effectiveOutputs } from './request/outputs.ts';
import { redactRequest, redactUrl } from './request/redact.ts';

/** A report larger than this is kept without its lists: a workflow's history takes 2 MB in one piece, 50 MB in all. */
const MAX_REPORT_BYTES = 64 * 1_024;

/** STARTING, as a worker answers a start. @param acceptedAtMs unix ms */
export function acceptedInfo(message: StartMessage, acceptedAtMs: number): EgressInfo {
  const atNs = toNs(acceptedAtMs);
  const first = forAttempt(message, { egressId: message.egressId, attempt: 0, token: '' });
  const { files, streams, segments, images } = effectiveOutputs(first.request);
  const source = sourceOf(message);
  const info = new EgressInfo({
    egressId: message.egressId,
    roomId: message.roomId,
    roomName: roomOf(source) ?? '',
    sourceType: needsBrowser(message) ? EgressSourceType.WEB : EgressSourceType.SDK,
    status: EgressStatus.EGRESS_STARTING,
    startedAt: atNs,
    updatedAt: atNs,
    request: redactRequest(message.request),
    fileResults: files.map(({ filepath }) => ({ filename: filepath })),
    streamResults: streams.flatMap(({ urls }) => urls.map((url) => startingStream(url, atNs))),
    segmentResults: segments.map(({ playlistName, livePlaylistName }) => ({ playlistName, livePlaylistName })),
    imageResults: images.map(({ filenamePrefix }) => ({ filenamePrefix })),
  });
  return withSingleResult(info);
}

/** Workers draw these in Chrome; sound alone of a room without a layout they take from the room itself. */
function needsBrowser({ request }: StartMessage): boolean {
  switch (request.case) {
    case 'web':
      return true;
    case 'roomComposite': {
      const { audioOnly, layout, customBaseUrl } = request.value;
      return !audioOnly || layout !== '' || customBaseUrl !== '';
    }
    case 'egress':
    case 'replay': {
      const { source } = request.value;
      if (source.case !== 'template') return source.case === 'web';
      return !source.value.audioOnly || source.value.layout !== '' || source.value.customBaseUrl !== '';
    }
    default:
      return false;
  }
}

function startingStream(url: string, atNs: bigint): StreamInfo {
  return new StreamInfo({ url: redactUrl(url), startedAt: atNs, status: StreamInfo_Status.ACTIVE });
}

/** The deprecated single result, where there is one kind of output. */
function withSingleResult(info: EgressInfo): EgressInfo {
  const { fileResults, streamResults, segmentResults, imageResults } = info;
  const [file] = fileResults;
  const [segments] = segmentResults;
  const kinds = [fileResults, streamResults, segmentResults, imageResults].filter((results) => results.length > 0).length;
  if (kinds !== 1) info.result = { case: undefined };
  else if (file) info.result = { case: 'file', value: file };
  else if (segments) info.result = { case: 'segments', value: segments };
  return info;
}

/** The record as it should be now: one status, the results of every attempt that left something. */
export function infoOf(facts: RecordFacts): EgressInfo {
  const message = StartMessage.fromBinary(Buffer.from(facts.wire, 'base64'));
  if (facts.roomId) message.roomId = facts.roomId;
  const info = acceptedInfo(message, facts.acceptedAtMs);
  const reports = facts.reports.map((report) => EgressInfo.fromBinary(Buffer.from(report, 'base64')));
  const last = reports.at(-1);
  info.status = EGRESS_STATUSES.indexOf(facts.state.status) as EgressStatus;
  info.retryCount = facts.retries;
  info.error = facts.state.error ?? '';
  info.errorCode = facts.state.errorCode ?? 0;
  info.details = facts.state.details ?? '';
  if (!last) return endedAt(info, facts, undefined);
  const earlier = reports.slice(0, -1);
  info.updatedAt = last.updatedAt > info.updatedAt ? last.updatedAt : info.updatedAt;
  info.fileResults = [...earlier.flatMap(({ fileResults }) => fileResults.filter(isStored)), ...filesOf(last, info)];
  info.streamResults = reports.flatMap(({ streamResults }) => streamResults);
  info.segmentResults = reports.flatMap(({ segmentResults }) => segmentResults);
  info.imageResults = reports.flatMap(({ imageResults }) => imageResults);
  info.manifestLocation = reports.find(({ manifestLocation }) => manifestLocation)?.manifestLocation ?? '';
  info.backupStorageUsed = reports.some(({ backupStorageUsed }) => backupStorageUsed);
  for (const stream of info.streamResults) stream.url = redactUrl(stream.url);
  return endedAt(withSingleResult(info), facts, last);
}

/** A first report may come before the worker knows its files. */
function filesOf(last: EgressInfo, accepted: EgressInfo): FileInfo[] {
  return last.fileResults.length > 0 ? last.fileResults : accepted.fileResults;
}

function isStored({ location }: FileInfo): boolean {
  return location !== '';
}

function endedAt(info: EgressInfo, { state, endedAtMs }: RecordFacts, last: EgressInfo | undefined): EgressInfo {
  if (EGRESS_STATUSES.indexOf(state.status) < EGRESS_STATUSES.indexOf('COMPLETE')) return info;
  const known = endedAtMs === undefined ? info.updatedAt : toNs(endedAtMs);
  info.endedAt = last && last.endedAt > 0n ? last.endedAt : known;
  info.updatedAt = info.endedAt > info.updatedAt ? info.endedAt : info.updatedAt;
  return info;
}

/** What a worker reported, as a recording keeps it: plain, small, without secrets. */
export function reportOf(info: EgressInfo): EgressReport {
  return {
    egressId: info.egressId,
    status: EGRESS_STATUSES[info.status] ?? 'STARTING',
    files: resultsOf(info)
      .filter((file) => file.filename || file.location)
      .map(fileOf),
    info: keptInfo(info),
    ...(info.streamResults.length > 0 ? { hasStreams: true } : {}),
    ...present({
      room: info.roomName || undefined,
      // What EgressInfo calls started is when the worker took the request; Chrome may need seconds from there to the first frame.
      acceptedAtMs: toMs(info.startedAt),
      startedAtMs: toMs(beganAt(info)),
      updatedAtMs: toMs(info.updatedAt),
      endedAtMs: toMs(info.endedAt),
      error: info.error || undefined,
      errorCode: info.errorCode || undefined,
      details: info.details || undefined,
    }),
  };
}

function keptInfo(info: EgressInfo): string {
  const copy = info.clone();
  copy.request = { case: undefined };
  copy.result = { case: undefined };
  for (const stream of copy.streamResults) stream.url = redactUrl(stream.url);
  const bytes = copy.toBinary();
  if (bytes.length <= MAX_REPORT_BYTES) return Buffer.from(bytes).toString('base64');
  const { egressId, status, startedAt, updatedAt, endedAt } = copy;
  const small = new EgressInfo({ egressId, status, startedAt, updatedAt, endedAt });
  return Buffer.from(small.toBinary()).toString('base64');
}

function beganAt(info: EgressInfo): bigint {
  const [file] = resultsOf(info);
  return file?.startedAt || info.segmentResults[0]?.startedAt || info.imageResults[0]?.startedAt || 0n;
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

function toNs(ms: number): bigint {
  return BigInt(Math.round(ms)) * 1_000_000n;
}

function present<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
