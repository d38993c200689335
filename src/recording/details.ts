// What the Temporal Web UI shows of an open recording, in Markdown: stage, since when, waiting for what, last error, what to do.
import { formatDuration } from './duration.ts';
import { beginsItself } from './no-media.ts';
import { roomOf } from './source.ts';
import { isEnded } from './stage.ts';
import type { QueuePlace } from './start-outcome.ts';
import type { PartView, RecordingView } from './view.ts';

export interface DetailNotes {
  stageSinceMs: number;
  lastProblem?: string;
  /** In the queue, when it last tried. */
  place?: QueuePlace & { seenAtMs: number };
}

/** A recording may have many parts; the last ones tell what goes on. */
const SHOWN_PARTS = 10;
const TEXT_CHARACTERS = 300;
const SHOWN_FILES = 5;
/** Temporal takes 20 kB; a character may be several bytes. */
const DETAILS_CHARACTERS = 6_000;

export function renderDetails(view: RecordingView, notes: DetailNotes): string {
  const hidden = view.parts.length - SHOWN_PARTS;
  const lines = [
    `**${view.stage}** since ${at(notes.stageSinceMs)}`,
    view.waiting &&
      `Waiting for **${view.waiting.for}** since ${at(view.waiting.sinceMs)}: ${plain(view.waiting.detail)}`,
    view.waiting?.for === 'capacity' && notes.place && placeInQueue(notes.place),
    view.waiting?.needs &&
      'An operator must act: see what LiveKit answered, its URL and its keys in the configuration.',
    view.endDeadlineMs && !isEnded(view.stage) && `Ends by itself at ${at(view.endDeadlineMs)} (extend moves it)`,
    view.reason && `Reason: **${view.reason.code}**: ${plain(view.reason.message)}`,
    notes.lastProblem && `Last problem: ${plain(notes.lastProblem)}`,
    hidden > 0 && `(${hidden} earlier parts)`,
    ...view.parts.slice(-SHOWN_PARTS).map(renderPart),
    advice(view),
  ];
  const details = lines.filter(Boolean).join('\n\n');
  return details.length <= DETAILS_CHARACTERS ? details : `${details.slice(0, DETAILS_CHARACTERS)}\n\n(cut)`;
}

function placeInQueue({ position, expectedAtMs, seenAtMs }: QueuePlace & { seenAtMs: number }): string {
  const worker = expectedAtMs === undefined ? '' : `, a worker expected by ${at(expectedAtMs)}`;
  return `Place **${position}** in the queue${worker}, as of ${at(seenAtMs)}`;
}

function renderPart(part: PartView): string {
  const facts = [
    `Part ${part.number}`,
    part.egressId ? `egress ${code(part.egressId)}` : 'no egress yet',
    `${part.attempts} start${part.attempts === 1 ? '' : 's'}`,
    part.awaitsMediaSinceMs && `nobody has published since ${at(part.awaitsMediaSinceMs)}`,
    part.startedAtMs && `active since ${at(part.startedAtMs)}`,
    part.end && `ended ${part.end.status}${part.end.details ? ` (${plain(part.end.details)})` : ''}`,
    ...part.files.slice(0, SHOWN_FILES).map((file) => `file ${code(file.filename)} ${formatDuration(file.durationMs)}`),
    part.files.length > SHOWN_FILES && `and ${part.files.length - SHOWN_FILES} files more`,
    ...(part.warnings ?? []).map(({ code: what }) => `**${what}**`),
  ];
  return `- ${facts.filter(Boolean).join(', ')}`;
}

/** One line on what an operator can do now. */
function advice(view: RecordingView): string | undefined {
  const cancel = code(`reelkit cancel ${view.id}`);
  const expires = `It expires at ${at(view.startDeadlineMs)}; ${cancel} gives up now.`;
  switch (view.stage) {
    case 'scheduled':
      return `What to do: nothing, it starts by itself; ${cancel} calls it off.`;
    case 'starting':
      if (view.parts.at(-1)?.awaitsMediaSinceMs)
        return `What to do: nothing, it records once somebody publishes in ${placeOf(view)}; ${cancel} ends it now.`;
      if (beginsItself(view.request.source))
        return "What to do: nothing for a minute. No media after that: look whether its page says that it is ready, and at the worker's log.";
      return `What to do: nothing. A worker that does not record for a minute although somebody publishes in ${placeOf(view)} is given up, and another is asked.`;
    case 'waiting':
      if (view.waiting?.for === 'source')
        return `What to do: nothing, it goes on once its source is in ${placeOf(view)}; ${cancel} ends it now.`;
      return view.waiting?.for === 'room'
        ? `What to do: nothing, once ${placeOf(view)} exists it starts. ${expires}`
        : `What to do: ${code('reelkit fleet explain')} says why there is no worker yet. ${expires}`;
    case 'recording':
      return `What to do: ${cancel} stops and keeps the file, ${code(`reelkit pause ${view.id}`)} leaves out what comes, ${code(`reelkit extend ${view.id} --by 30m`)} goes on longer.`;
    case 'paused':
      return `What to do: nothing, it is no demand; ${code(`reelkit resume ${view.id}`)} goes on, ${cancel} ends it.`;
    case 'stopping':
      return 'What to do: nothing, the worker finishes and stores the file. When that takes minutes, look at the worker and its storage.';
    default:
      return undefined;
  }
}

function placeOf(view: RecordingView): string {
  const room = roomOf(view.request.source);
  return room === undefined ? 'the page' : `room ${code(room)}`;
}

function at(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

/** Names and messages come from outside: they must not become Markdown of ours. */
function plain(text: string): string {
  return cut(text.replaceAll(/\s+/g, ' ')).replaceAll(/[\\`*[\]<>|#]/g, '\\$&');
}

function code(text: string): string {
  return `\`${cut(text.replaceAll(/[`\s]+/g, ' '))}\``;
}

function cut(text: string): string {
  return text.length <= TEXT_CHARACTERS ? text : `${text.slice(0, TEXT_CHARACTERS)}…`;
}
