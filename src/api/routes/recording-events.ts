// GET /v1/recordings/:id/events: the recording now, then each change until it ends, as server-sent events. Looks once a
// second with a call that costs nothing on Temporal Cloud, and asks the workflow only when something changed.
import { setTimeout as sleep } from 'node:timers/promises';
import { isEnded } from '../../recording/stage.ts';
import type { RecordingView } from '../../recording/view.ts';
import { errors } from '../errors.ts';
import type { RecordingState, Recordings } from '../recordings/recordings.ts';
import { defineRoute, type Route } from '../route.ts';
import { recordingParams, recordingView } from '../schemas.ts';
import { requireTouchable } from './recordings.ts';

const LOOK_EVERY_MS = 1_000;
/** The id of the last event. Not a revision: the workflow writes a few more events to its history after the recording ended. */
const ENDED_EVENT_ID = 'ended';
/** Keeps proxies from closing a quiet connection. */
const HEARTBEAT_MS = 15_000;

export interface RecordingEventParts {
  recordings: Recordings;
  lookEveryMs?: number;
}

export function recordingEventRoutes({ recordings, lookEveryMs = LOOK_EVERY_MS }: RecordingEventParts): Route[] {
  const events = defineRoute({
    method: 'get',
    path: '/v1/recordings/:id/events',
    tag: 'recordings',
    summary: 'Follow a recording',
    description:
      'Server-sent events named `recording`, each with the whole recording as data: the present one at once, then every change. The stream ends with the end stage; an EventSource that reconnects then gets 204 and stops.',
    auth: 'token',
    params: recordingParams,
    responses: {
      200: { description: 'The stream', schema: recordingView, contentType: 'text/event-stream' },
      204: { description: '`Last-Event-ID` is that of the end: nothing will change any more' },
    },
    problems: ['recording_not_found', 'temporal_unavailable'],
    async handler({ params, caller, header }) {
      await requireTouchable(recordings, caller, params.id);
      if (header('last-event-id') === ENDED_EVENT_ID) return { status: 204 };
      const first = await recordings.peek(params.id);
      if (!first) throw errors.recordingNotFound(params.id);
      return { stream: (send, closed) => follow(recordings, params.id, first, { send, closed, lookEveryMs }) };
    },
  });
  return [events];
}

interface Follower {
  send: (chunk: string) => void;
  closed: AbortSignal;
  lookEveryMs: number;
}

async function follow(recordings: Recordings, id: string, first: RecordingState, follower: Follower): Promise<void> {
  const { send, closed, lookEveryMs } = follower;
  let state: RecordingState | undefined = first;
  let sentRevision = -1;
  let sentData = '';
  let quietSinceMs = Date.now();
  while (!closed.aborted) {
    if (state && state.revision !== sentRevision) {
      const view = await recordings.show(id).catch(() => undefined);
      const data = view && JSON.stringify(view);
      const ended = view && (isEnded(view.stage) || !state.open);
      if (view && data !== sentData) send(eventOf(ended ? ENDED_EVENT_ID : String(state.revision), view));
      if (ended) return;
      if (view) [sentRevision, sentData, quietSinceMs] = [state.revision, data ?? '', Date.now()];
    }
    if (Date.now() - quietSinceMs >= HEARTBEAT_MS) {
      send(': still here\n\n');
      quietSinceMs = Date.now();
    }
    await sleep(lookEveryMs, undefined, { signal: closed }).catch(() => undefined);
    // Temporal away for a moment: the stream stays open and catches up.
    state = closed.aborted ? state : await recordings.peek(id).catch(() => state);
  }
}

function eventOf(id: string, view: RecordingView): string {
  return `event: recording\nid: ${id}\ndata: ${JSON.stringify(view)}\n\n`;
}
