// What Reelkit's own webhooks tell of a recording: one event for each change of its stage and each part that ended, and the body that is
// sent. Pure. The body is written once, so that every try and every replay sends the same bytes.
import type { Stage } from '../stage.ts';
import type { PartView, RecordingView } from '../view.ts';
import type { WebhookEventName } from './names.ts';

const OF_STAGE: Record<Stage, WebhookEventName> = {
  scheduled: 'recording.scheduled',
  starting: 'recording.starting',
  waiting: 'recording.waiting',
  recording: 'recording.started',
  paused: 'recording.paused',
  stopping: 'recording.stopping',
  completed: 'recording.completed',
  failed: 'recording.failed',
  cancelled: 'recording.cancelled',
  expired: 'recording.expired',
};

export interface WebhookEvent {
  /** Counts every event of a recording, also those that nobody wants: receivers order by it. */
  sequence: number;
  /** The same for every try and every replay. */
  id: string;
  event: WebhookEventName;
  atMs: number;
  /** JSON, as it is sent. */
  body: string;
}

/** Of the stage that the recording has entered. */
export function eventOfStage({ stage, parts }: RecordingView): WebhookEventName {
  const begun = parts.filter(({ startedAtMs }) => startedAtMs !== undefined).length;
  return stage === 'recording' && begun > 1 ? 'recording.resumed' : OF_STAGE[stage];
}

/** After it no other comes. */
export function isLast(event: WebhookEventName): boolean {
  return /\.(completed|failed|cancelled|expired)$/.test(event);
}

/** @param sequence from 1 */
export function webhookEvent(
  event: WebhookEventName,
  sequence: number,
  view: RecordingView,
  atMs: number,
): WebhookEvent {
  const id = `EV_${view.id.replace(/^EG_/, '')}_${sequence}`;
  // The first four as LiveKit writes them: its SDKs read them.
  const head = { event, id, createdAt: String(Math.floor(atMs / 1_000)), sequence };
  return { sequence, id, event, atMs, body: bodyWithin(MAX_BODY_BYTES, head, view) };
}

/** What a receiver that takes no more than a web server's usual limit still takes, and what a history of hundreds of events may hold. */
export const MAX_BODY_BYTES = 32 * 1_024;
const SHOWN_PARTS = [20, 4] as const;
const TEXT_CHARACTERS = 1_000;

function bodyWithin(maxBytes: number, head: object, view: RecordingView): string {
  const [many, few] = SHOWN_PARTS;
  const candidates = [
    () => shortened(view, many),
    () => shortened(view, few),
    () => withoutOutputs(shortened(view, few)),
    () => ({
      id: view.id,
      stage: view.stage,
      fleet: view.fleet,
      ...(view.reason ? { reason: { code: view.reason.code } } : {}),
    }),
  ];
  let body = '';
  for (const candidate of candidates) {
    body = JSON.stringify({ ...head, recording: candidate() });
    if (new TextEncoder().encode(body).length <= maxBytes) break;
  }
  return body;
}

type Shortened = RecordingView & { partsLeftOut?: number };

/** The last parts, with texts cut: whoever needs all asks the API. */
function shortened(view: RecordingView, parts: number): Shortened {
  const partsLeftOut = view.parts.length - parts;
  return {
    ...view,
    ...(view.waiting ? { waiting: { ...view.waiting, detail: cut(view.waiting.detail) } } : {}),
    ...(view.reason ? { reason: { ...view.reason, message: cut(view.reason.message) } } : {}),
    parts: view.parts.slice(-parts).map(shortenedPart),
    ...(partsLeftOut > 0 ? { partsLeftOut } : {}),
  };
}

function shortenedPart(part: PartView): PartView {
  if (!part.end) return part;
  const { details, error } = part.end;
  return {
    ...part,
    end: {
      ...part.end,
      ...(details === undefined ? {} : { details: cut(details) }),
      ...(error === undefined ? {} : { error: cut(error) }),
    },
  };
}

function withoutOutputs({ request, ...view }: Shortened): object {
  const { outputs, encoding, ...rest } = request;
  return { ...view, request: rest, outputsLeftOut: outputs.length };
}

function cut(text: string): string {
  return text.length <= TEXT_CHARACTERS ? text : `${text.slice(0, TEXT_CHARACTERS)}…`;
}
