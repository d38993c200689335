// The first view of a recording: what the API answers at once and what the workflow begins with. Pure.
import type { RecordingRequest } from './request.ts';
import type { RecordingView } from './view.ts';

export interface Opening {
  id: string;
  fleet: string;
  request: RecordingRequest;
  requestedAtMs: number;
  /** Why no worker had room for it when it was accepted: it begins in the queue. */
  noRoom?: string;
}

/** When the recording should begin: `startAt`, else when it was asked for. Unix ms. */
export function dueAtMs(opening: Pick<Opening, 'request' | 'requestedAtMs'>): number {
  const startAtMs = opening.request.startAt === undefined ? 0 : Date.parse(opening.request.startAt);
  return Math.max(startAtMs, opening.requestedAtMs);
}

export function openRecording(opening: Opening): RecordingView {
  const dueMs = dueAtMs(opening);
  const { noRoom } = opening;
  return {
    id: opening.id,
    stage: dueMs > opening.requestedAtMs ? 'scheduled' : noRoom === undefined ? 'starting' : 'waiting',
    ...(noRoom === undefined ? {} : { waiting: { for: 'capacity', sinceMs: opening.requestedAtMs, detail: noRoom } }),
    fleet: opening.fleet,
    request: opening.request,
    requestedAtMs: opening.requestedAtMs,
    startDeadlineMs: dueMs + opening.request.startWithin,
    parts: [],
  };
}
