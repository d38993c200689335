// LiveKit's record of a recording: what it says when the request is accepted, what a worker reported, and the one record that the
// reports of all attempts make together. Pure; the request in it is the one that was asked for, without its secrets.
import {
  EgressInfo,
  EgressSourceType,
  EgressStatus,
  FileInfo,
  ImagesInfo,
  SegmentsInfo,
  StreamInfo,
  StreamInfo_Status,
  StreamInfoList,
} from '@livekit/protocol';
import { EGRESS_STATUSES, type EgressFile, type EgressReport, isTerminal } from '../recording/egress.ts';
import type { RecordFacts } from '../recording/record-state.ts';
import { isHidden } from './request/crash-safe.ts';
import { copiedTrackOf, forAttempt, redactUrl, roomNameOf, StartMessage } from './request/index.ts';
import { effectiveOutputs } from './request/outputs.ts';
import { redactRequest, redactText } from './request/redact.ts';
import { asWorkerSends } from './request/stream-url.ts';

/** A report larger than this is kept without its lists: a workflow's history takes 2 MB in one piece, 50 MB in all. */
const MAX_REPORT_BYTES = 64 * 1_024;

/** The worker's own time of an end is the exact one, unless the recording then waited for another worker that never came. */
const WAITED_ON_NS = 60_000_000_000n;

/** STARTING, as a worker answers a start. @param acceptedAtMs unix ms */
export function acceptedInfo(message: StartMessage, acceptedAtMs: number, hidesPages = false): EgressInfo {
  const atNs = toNs(acceptedAtMs);
  const info = new EgressInfo({
    egressId: message.egressId,
    roomId: message.roomId,
    roomName: roomNameOf(message),
    sourceType: needsBrowser(message) ? EgressSourceType.WEB : EgressSourceType.SDK,
    status: EgressStatus.EGRESS_STARTING,
    startedAt: atNs,
    updatedAt: atNs,
    request: redactRequest(message.request, hidesPages),
    ...expectedResults(message, atNs),
  });
  return withSingleResult(info);
}

type Results = Pick<EgressInfo, 'fileResults' | 'streamResults' | 'segmentResults' | 'imageResults'>;

/** What the first attempt will write. A track that is copied as it is has no name yet: its codec decides about the extension. */
function expectedResults(message: StartMessage, atNs: bigint): Results {
  const first = forAttempt(message, { egressId: message.egressId, attempt: 0, token: '' });
  const { files, streams, segments, images, websocketUrl } = effectiveOutputs(first.request);
  const isCopied = copiedTrackOf(message.request) !== undefined;
  const urls = [...streams.flatMap((stream) => stream.urls), ...(websocketUrl === undefined ? [] : [websocketUrl])];
  return {
    fileResults: files.map(({ filepath }) => new FileInfo({ filename: isCopied ? '' : filepath })),
    streamResults: urls.map((url) => startingStream(url, atNs)),
    segmentResults: segments.map(
      ({ playlistName, livePlaylistName }) => new SegmentsInfo({ playlistName, livePlaylistName }),
    ),
    imageResults: images.map(({ filenamePrefix }) => new ImagesInfo({ filenamePrefix })),
  };
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

/** RTMP streams begin when they publish. Which server of Twitch's it will be, only the worker knows. */
function startingStream(url: string, atNs: bigint): StreamInfo {
  const sent = /^twitch:/i.test(url) ? url : asWorkerSends(url);
  const isRtmp = /^(rtmps?|mux|twitch):/i.test(url);
  return new StreamInfo({ url: redactUrl(sent), startedAt: isRtmp ? 0n : atNs, status: StreamInfo_Status.ACTIVE });
}

/** The deprecated single result, where there is one kind of output. */
export function withSingleResult(info: EgressInfo): EgressInfo {
  const { fileResults, streamResults, segmentResults, imageResults } = info;
  const [file] = fileResults;
  const [segments] = segmentResults;
  const kinds = [fileResults, streamResults, segmentResults, imageResults].filter((results) => results.length > 0);
  if (kinds.length !== 1) info.result = { case: undefined };
  else if (file) info.result = { case: 'file', value: file };
  else if (segments) info.result = { case: 'segments', value: segments };
  else if (streamResults.length > 0)
    info.result = { case: 'stream', value: new StreamInfoList({ info: streamResults }) };
  return info;
}

/** The record as it should be now: one status, the results of every attempt that left something. */
export function infoOf(facts: RecordFacts): EgressInfo {
  const message = StartMessage.fromBinary(Buffer.from(facts.wire, 'base64'));
  if (facts.roomId) message.roomId = facts.roomId;
  const info = acceptedInfo(message, facts.acceptedAtMs, facts.hidesPages);
  info.status = EGRESS_STATUSES.indexOf(facts.state.status) as EgressStatus;
  info.retryCount = facts.retries;
  info.error = facts.state.error ?? '';
  info.errorCode = facts.state.errorCode ?? 0;
  info.updatedAt = later(info.updatedAt, toNs(facts.changedAtMs ?? 0));
  const reports = facts.reports.flatMap(decoded);
  info.details = facts.state.details ?? reasonOfEnding(facts, reports.at(-1));
  addReports(info, reports);
  endedAt(info, facts, reports.at(-1));
  closeStreams(info, facts.state.status);
  return withSingleResult(info);
}

/** Told while the egress finishes: what its worker has said of it, else who stops it is Reelkit. */
function reasonOfEnding({ state }: RecordFacts, last: EgressInfo | undefined): string {
  return state.status === 'ENDING' ? last?.details || 'End reason: StopEgress API' : '';
}

/** One that was signalled by hand may hold anything, and must not keep LiveKit from the others. */
function decoded(report: string): EgressInfo[] {
  try {
    return [EgressInfo.fromBinary(Buffer.from(report, 'base64'))];
  } catch {
    return [];
  }
}

/** What no report names yet stays as the request has it. */
function addReports(info: EgressInfo, reports: readonly EgressInfo[]): void {
  const last = reports.at(-1);
  if (!last) return;
  const earlier = reports.slice(0, -1);
  info.updatedAt = later(info.updatedAt, last.updatedAt);
  const files = [...earlier.flatMap((report) => resultsOf(report).filter(isStored)), ...resultsOf(last)];
  info.fileResults = orElse(files, info.fileResults);
  info.streamResults = orElse([...earlier.flatMap(cutStreams), ...last.streamResults], info.streamResults);
  info.segmentResults = orElse(
    reports.flatMap(({ segmentResults }) => segmentResults),
    info.segmentResults,
  );
  info.imageResults = orElse(
    reports.flatMap(({ imageResults }) => imageResults),
    info.imageResults,
  );
  info.manifestLocation = reports.find(({ manifestLocation }) => manifestLocation)?.manifestLocation ?? '';
  info.backupStorageUsed = reports.some(({ backupStorageUsed }) => backupStorageUsed);
}

function orElse<T>(first: T[], second: T[]): T[] {
  return first.length > 0 ? first : second;
}

function later(one: bigint, other: bigint): bigint {
  return one > other ? one : other;
}

/** A worker that died had no time to say that its streams ended. */
function cutStreams({ streamResults, updatedAt }: EgressInfo): StreamInfo[] {
  return streamResults.map((stream) => endedStream(stream, StreamInfo_Status.FAILED, updatedAt));
}

/** Nothing streams in a record that has ended. */
export function closeStreams(info: EgressInfo, end: EgressReport['status']): void {
  if (!isTerminal(end)) return;
  const failed = end === 'FAILED' || end === 'ABORTED';
  const status = failed ? StreamInfo_Status.FAILED : StreamInfo_Status.FINISHED;
  info.streamResults = info.streamResults.map((stream) => endedStream(stream, status, info.endedAt));
}

function endedStream(stream: StreamInfo, status: StreamInfo_Status, atNs: bigint): StreamInfo {
  if (stream.status !== StreamInfo_Status.ACTIVE) return stream;
  const copy = stream.clone();
  copy.status = status;
  copy.endedAt = stream.endedAt || atNs;
  copy.duration = stream.startedAt > 0n && copy.endedAt > stream.startedAt ? copy.endedAt - stream.startedAt : 0n;
  return copy;
}

function isStored({ location }: FileInfo): boolean {
  return location !== '';
}

function endedAt(info: EgressInfo, { state, endedAtMs }: RecordFacts, last: EgressInfo | undefined): void {
  if (!isTerminal(state.status)) return;
  const heard = endedAtMs === undefined ? info.updatedAt : toNs(endedAtMs);
  const told = last?.endedAt ?? 0n;
  info.endedAt = told > 0n && heard - told < WAITED_ON_NS ? told : heard;
  info.updatedAt = later(info.updatedAt, info.endedAt);
}

/** What a worker reported, as a recording keeps it: plain, small, without secrets. */
export function reportOf(reported: EgressInfo): EgressReport {
  const info = withoutHidden(reported);
  return {
    egressId: info.egressId,
    status: EGRESS_STATUSES[info.status] ?? 'STARTING',
    files: resultsOf(info)
      .filter((file) => file.filename || file.location)
      .map(fileOf),
    info: keptInfo(info),
    ...(info.backupStorageUsed ? { backup: backupOf(info) } : {}),
    ...(info.streamResults.length > 0 ? { streams: info.streamResults.map(stateOfStream).join(' ') } : {}),
    ...present({
      room: info.roomName || undefined,
      manifestLocation: info.manifestLocation || undefined,
      // What EgressInfo calls started is when the worker took the request; Chrome may need seconds from there to the first frame.
      acceptedAtMs: toMs(info.startedAt),
      startedAtMs: toMs(beganAt(info)),
      // With its fraction: reports follow each other within a millisecond.
      updatedAtMs: info.updatedAt > 0n ? Number(info.updatedAt) / 1e6 : undefined,
      endedAtMs: toMs(info.endedAt),
      error: redactText(info.error) || undefined,
      errorCode: info.errorCode || undefined,
      details: redactText(info.details) || undefined,
    }),
  };
}

/** A report, base64, with a file that was made after its worker had gone. @param beside those that its worker wrote */
export function withFile(
  report: string,
  { filename, location, sizeBytes, durationMs }: EgressFile,
  { beside = false, startedAtMs }: { beside?: boolean; startedAtMs?: number } = {},
): string {
  const info = EgressInfo.fromBinary(Buffer.from(report, 'base64'));
  const duration = BigInt(Math.round(durationMs)) * 1_000_000n;
  const startedAt = startedAtMs === undefined ? beganAt(info) : toNs(startedAtMs);
  const made = { filename, location, size: BigInt(sizeBytes), duration, startedAt, endedAt: startedAt + duration };
  info.fileResults = [...(beside ? info.fileResults : []), new FileInfo(made)];
  return Buffer.from(info.toBinary()).toString('base64');
}

/** The same with none. */
export function withoutFiles(report: string): string {
  const info = EgressInfo.fromBinary(Buffer.from(report, 'base64'));
  info.fileResults = [];
  return Buffer.from(info.toBinary()).toString('base64');
}

/** Segments that Reelkit asked for beside the file are nobody else's business. */
function withoutHidden(info: EgressInfo): EgressInfo {
  const segmentResults = info.segmentResults.filter(({ playlistName }) => !isHidden(playlistName));
  if (segmentResults.length === info.segmentResults.length) return info;
  const copy = info.clone();
  copy.segmentResults = segmentResults;
  return copy;
}

/** Each output has its own: a worker's record does not say which. */
function backupOf(info: EgressInfo): 'all' | 'some' {
  return resultsOf(info).length + info.segmentResults.length + info.imageResults.length > 1 ? 'some' : 'all';
}

function stateOfStream({ status, startedAt, retries }: StreamInfo): string {
  return `${StreamInfo_Status[status]}${startedAt > 0n ? '' : '-not-yet'}${retries > 0 ? `-${retries}` : ''}`;
}

function keptInfo(info: EgressInfo): string {
  const copy = info.clone();
  copy.request = { case: undefined };
  copy.fileResults = resultsOf(info);
  copy.result = { case: undefined };
  copy.error = redactText(copy.error);
  copy.details = redactText(copy.details);
  for (const stream of copy.streamResults) {
    stream.url = redactUrl(stream.url);
    stream.error = redactText(stream.error);
  }
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
