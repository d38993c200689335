// What the Temporal Web UI shows of an open recording, in Markdown: stage, since when, waiting for what, last error, what to do.
import { formatDuration } from './duration.ts';
import { roomOf } from './request.ts';
import { isEnded } from './stage.ts';
import type { PartView, RecordingView } from './view.ts';

export interface DetailNotes {
  stageSinceMs: number;
  lastProblem?: string;
}

export function renderDetails(view: RecordingView, notes: DetailNotes): string {
  const lines = [
    `**${view.stage}** since ${at(notes.stageSinceMs)}`,
    view.waiting && `Waiting for **${view.waiting.for}** since ${at(view.waiting.sinceMs)}: ${view.waiting.detail}`,
    view.endDeadlineMs && !isEnded(view.stage) && `Ends by itself at ${at(view.endDeadlineMs)} (extend moves it)`,
    view.reason && `Reason: **${view.reason.code}**: ${view.reason.message}`,
    notes.lastProblem && `Last problem: ${notes.lastProblem}`,
    ...view.parts.map(renderPart),
    advice(view),
  ];
  return lines.filter(Boolean).join('\n\n');
}

function renderPart(part: PartView): string {
  const facts = [
    `Part ${part.number}`,
    part.egressId ? `egress \`${part.egressId}\`` : 'no egress yet',
    `${part.attempts} start${part.attempts === 1 ? '' : 's'}`,
    part.startedAtMs && `active since ${at(part.startedAtMs)}`,
    part.end && `ended ${part.end.status}${part.end.details ? ` (${part.end.details})` : ''}`,
    ...part.files.map((file) => `file \`${file.filename}\` ${formatDuration(file.durationMs)}`),
  ];
  return `- ${facts.filter(Boolean).join(', ')}`;
}

/** One line on what an operator can do now. */
function advice(view: RecordingView): string | undefined {
  if (view.stage === 'waiting' && view.waiting?.for === 'room') {
    return `What to do: nothing, once room \`${roomOf(view.request.source)}\` exists it starts. It expires at ${at(view.startDeadlineMs)}; \`reelkit cancel ${view.id}\` gives up now.`;
  }
  if (view.stage === 'waiting') {
    return `What to do: \`reelkit fleet explain\` says why there is no worker yet. It expires at ${at(view.startDeadlineMs)}; \`reelkit cancel ${view.id}\` gives up now.`;
  }
  if (view.stage === 'recording')
    return `What to do: \`reelkit cancel ${view.id}\` stops and keeps the file, \`reelkit extend ${view.id} --by 30m\` goes on longer.`;
  return undefined;
}

function at(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
