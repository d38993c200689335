// What must hold at the end of a demo, as one pure function from the evidence to the list of what did not hold.
// It reads no file and asks no service.

import { type EndReason, type EndStage, isEnded } from '../../recording/stage.ts';
import type { RecordingView } from '../../recording/view.ts';
import { type Actor, type Role, type Timing, wantedDurationMs } from '../cast.ts';
import { secondsText } from '../screen/text-table.ts';
import type { Evidence, Failure, FileEvidence, RecordingEvidence } from './evidence.ts';

/** Files against the workflow's own times. */
const durationToleranceMs = 2_000;
const toneToleranceHz = 12;

export const expectedEnd: Record<Role, { stage: EndStage; reason: EndReason }> = {
  extended: { stage: 'completed', reason: 'max_duration' },
  max_duration: { stage: 'completed', reason: 'max_duration' },
  cancelled: { stage: 'cancelled', reason: 'cancelled' },
  room_closes: { stage: 'completed', reason: 'finished' },
};

type Finding = Omit<Failure, 'about'>;

export function judge(evidence: Evidence): Failure[] {
  const ofRecordings = evidence.recordings.flatMap((recording) =>
    judgeRecording(recording, evidence).map((finding) => ({ about: recording.actor.room, ...finding })),
  );
  const ofFleet = judgeFleet(evidence).map((finding) => ({ about: 'fleet', ...finding }));
  // What died first explains the rest.
  return evidence.casualty ? [...ofFleet, ...ofRecordings] : [...ofRecordings, ...ofFleet];
}

function judgeRecording(recording: RecordingEvidence, { timing, logs }: Evidence): Finding[] {
  const { actor, view, requestProblem, actionProblem } = recording;
  if (!view) {
    return [{ expected: 'the request to be accepted', seen: requestProblem ?? 'no answer', log: logs.service }];
  }
  // What has not ended has no parts, lengths and files to speak of yet.
  if (!isEnded(view.stage)) return judgeEnd(actor, view, logs.service);
  const action = actionProblem
    ? [{ expected: `the recording to be ${roleWords[actor.role]}`, seen: actionProblem, log: logs.service }]
    : [];
  return [
    ...action,
    ...judgeEnd(actor, view, logs.service),
    ...judgeParts(view, logs.workers),
    ...judgeLength(timing, recording, logs.workers),
    ...recording.files.flatMap((file) => judgeFile(actor, file, logs.workers)),
  ];
}

const roleWords: Record<Role, string> = {
  extended: 'extended',
  cancelled: 'cancelled',
  room_closes: 'ended by closing its room',
  max_duration: 'left alone',
};

function judgeEnd({ role }: Actor, view: RecordingView, log: string): Finding[] {
  const { stage, reason } = expectedEnd[role];
  if (view.stage === stage && view.reason?.code === reason) return [];
  const detail = view.reason ? `${view.reason.code}: ${view.reason.message}` : view.waiting?.detail;
  return [{ expected: `${stage} (${reason})`, seen: [view.stage, detail].filter(Boolean).join(', '), log }];
}

/** One egress and one file: nothing died, nothing was recorded twice. */
function judgeParts({ parts }: RecordingView, log: string): Finding[] {
  const files = parts.reduce((sum, part) => sum + part.files.length, 0);
  if (parts.length === 1 && files === 1) return [];
  const seen = parts.map(({ number, egressId, end, files: of }) => {
    const words = [end?.status, end?.error ?? end?.details].filter(Boolean).join(' ');
    return `part ${number} (${egressId ?? 'no egress'}): ${words || 'no end known'}, ${plural(of.length, 'file')}`;
  });
  return [{ expected: 'one part with one file', seen: seen.join('; ') || 'no part at all', log }];
}

/**
 * What is in the files against the time from ACTIVE to the moment it was told to stop; and against what its role asks for:
 * above all, the extended one must really be longer.
 */
function judgeLength(timing: Timing, recording: RecordingEvidence, log: string): Finding[] {
  const { actor, view, files } = recording;
  const untilMs = stoppedAtMs(recording);
  if (
    view?.startedAtMs === undefined ||
    untilMs === undefined ||
    files.length === 0 ||
    files.some(({ media }) => !media)
  )
    return [];
  const recordedMs = untilMs - view.startedAtMs;
  const inFilesMs = files.reduce((sum, { media }) => sum + (media?.durationSeconds ?? 0) * 1_000, 0);
  const findings: Finding[] = [];
  if (Math.abs(inFilesMs - recordedMs) > durationToleranceMs) {
    const expected = `${secondsText(recordedMs)} in its files, the time from its start to its stop`;
    findings.push({ expected, seen: secondsText(inFilesMs), log });
  }
  const wantedMs = wantedDurationMs(actor, timing);
  if (inFilesMs < wantedMs - durationToleranceMs) {
    findings.push({ expected: `at least ${secondsText(wantedMs)} in its files`, seen: secondsText(inFilesMs), log });
  }
  return findings;
}

/** The end of the egress comes seconds later, once its file is written. */
function stoppedAtMs({ actor, view, actedAtMs }: RecordingEvidence): number | undefined {
  return actor.role === 'cancelled' || actor.role === 'room_closes' ? actedAtMs : view?.endDeadlineMs;
}

function judgeFile({ toneHz }: Actor, file: FileEvidence, log: string): Finding[] {
  const { media, path } = file;
  if (!media) return [{ expected: `a readable file ${path}`, seen: file.problem ?? 'nothing', log }];
  const findings: Finding[] = [];
  const expect = (holds: boolean, expected: string, seen: string) => {
    if (!holds) findings.push({ expected, seen, log });
  };
  const types = media.streams.map(({ type }) => type).sort();
  expect(types.join() === 'audio,video', `one video and one audio stream in ${path}`, types.join(', ') || 'none');
  const durationMs = media.durationSeconds * 1_000;
  expect(
    Math.abs(durationMs - file.toldDurationMs) <= durationToleranceMs,
    `${secondsText(file.toldDurationMs)} in ${path}, as the recording says`,
    secondsText(durationMs),
  );
  const isItsTone = file.toneHz !== undefined && Math.abs(file.toneHz - toneHz) <= toneToleranceHz;
  expect(isItsTone, `its room's tone of ${toneHz} Hz in ${path}`, file.toneHz ? `${file.toneHz} Hz` : 'silence');
  return findings;
}

function judgeFleet(evidence: Evidence): Finding[] {
  const { fleet, logs, casualty } = evidence;
  const findings: Finding[] = [];
  const expect = (holds: boolean, expected: string, seen: string, log = logs.service) => {
    if (!holds) findings.push({ expected, seen, log });
  };
  expect(casualty === undefined, 'every component to live through the demo', casualty ?? '');
  expect(fleet.workersBefore === 0, 'no worker before the requests', plural(fleet.workersBefore, 'worker'));
  expect(fleet.mostWorkers > 0, 'workers to be launched', 'none was ever seen');
  const decision = fleet.lastDecision ? `; last decision: ${fleet.lastDecision}` : '';
  const after = fleet.workersAfter === undefined ? 'it did not answer' : plural(fleet.workersAfter, 'worker');
  expect(fleet.workersAfter === 0, 'no worker at the end', `${after}${decision}`);
  for (const finding of judgeEgresses(evidence)) findings.push(finding);
  return findings;
}

/** LiveKit's own list is the second witness: to it a recording is one egress, however many workers were asked. */
function judgeEgresses({ recordings, egressIds, logs }: Evidence): Finding[] {
  if (!egressIds) return [{ expected: 'LiveKit to list its egresses', seen: 'no answer', log: logs.livekit }];
  const owned = new Set(recordings.flatMap(({ view }) => view?.id ?? []));
  const strays = egressIds.filter((id) => !owned.has(id));
  if (strays.length === 0) return [];
  return [{ expected: 'no egress but those of the recordings', seen: strays.join(', '), log: logs.livekit }];
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
