// GET /v1/recordings/:id/events: the recording now, then each change until it ends, as server-sent events.
import { errors } from '../errors.ts';
import type { Places } from '../limits.ts';
import type { FollowRecordings, RecordingChange } from '../recordings/follow.ts';
import type { RecordingState } from '../recordings/recordings.ts';
import { defineRoute, type Route, type StreamTo } from '../route.ts';
import { recordingParams, recordingView } from '../schemas.ts';
import { mayTouch } from './recordings.ts';

/** The id of the last event. Not a revision: the workflow writes a few more events to its history after the recording ended. */
const ENDED_EVENT_ID = 'ended';
/** Keeps proxies from closing a quiet connection. */
const HEARTBEAT_MS = 15_000;

export interface RecordingEventParts {
  following: FollowRecordings;
  streams: Places;
}

export function recordingEventRoutes({ following, streams }: RecordingEventParts): Route[] {
  const events = defineRoute({
    method: 'get',
    path: '/v1/recordings/:id/events',
    tag: 'recordings',
    summary: 'Follow a recording',
    description:
      'Server-sent events named `recording`, each with the whole recording as data: the present one at once, then every change. The stream ends with the end stage; an EventSource that reconnects then gets 204 and stops. It ends as well when the access token expires.',
    auth: 'token',
    params: recordingParams,
    responses: {
      200: { description: 'The stream', schema: recordingView, contentType: 'text/event-stream' },
      204: { description: '`Last-Event-ID` is that of the end: nothing will change any more' },
    },
    problems: ['recording_not_found', 'too_many_requests', 'temporal_unavailable'],
    async handler({ params, caller, header }) {
      const release = streams.take(caller);
      try {
        const first = await following.peek(params.id);
        if (!first || !mayTouch(caller, first.memo.request)) throw errors.recordingNotFound(params.id);
        if (header('last-event-id') === ENDED_EVENT_ID) {
          release();
          return { status: 204 };
        }
        return { stream: (to) => send(following, params.id, first, to).finally(release) };
      } catch (error) {
        release();
        throw error;
      }
    },
  });
  return [events];
}

/** @returns when the recording has ended, or the stream is closed */
async function send(
  following: FollowRecordings,
  id: string,
  first: RecordingState,
  { write, closed }: StreamTo,
): Promise<void> {
  const heartbeat = setInterval(() => write(': still here\n\n'), HEARTBEAT_MS);
  let forget: () => void = () => undefined;
  await new Promise<void>((resolve) => {
    closed.addEventListener('abort', () => resolve(), { once: true });
    forget = following.follow(id, first, (change) => {
      write(eventOf(change));
      if (change.ended) resolve();
    });
    if (closed.aborted) resolve();
  });
  clearInterval(heartbeat);
  forget();
}

function eventOf({ revision, data, ended }: RecordingChange): string {
  return `event: recording\nid: ${ended ? ENDED_EVENT_ID : revision}\ndata: ${data}\n\n`;
}
