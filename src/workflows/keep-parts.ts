// What outlives the workers of a recording: the file of a part whose worker died is made again from its segments, while the recording
// goes on; when it has ended its manifest is written, and its segments go.
import { condition, log } from '@temporalio/workflow';
import { endWithRebuilt, manifestName, wantsRebuild } from '../recording/kept.ts';
import { renderManifest } from '../recording/manifest.ts';
import type { PartView } from '../recording/view.ts';
import { media, problemOf, settling, settlingLate } from './calls.ts';
import type { End, RecordingState } from './recording-state.ts';

/** Of a part that has just ended. It is not waited for: the next part must begin. */
export function keepPart(state: RecordingState, part = state.part): void {
  if (!part || state.keepFolder === undefined || !wantsRebuild(part)) return;
  state.filesUnderWay += 1;
  void state.inBackground([rebuild(state, part)]);
}

async function rebuild(state: RecordingState, part: PartView): Promise<void> {
  const { keepFolder = '' } = state;
  const { egressId = '' } = part;
  const report = state.reportOf(egressId);
  try {
    if (!report) return;
    const attempt = state.attempts.numberOf(egressId) ?? 0;
    const made = await media().rebuildPart({ ...kept(state, keepFolder), attempt, ...report });
    if (made.kind === 'rebuilt') state.rebuilt(part, made);
  } catch (error) {
    const problem = problemOf(error);
    part.segments = keepFolder;
    state.noteProblem(`its file could not be made again from its segments, which stay: ${problem}`);
    log.warn('a file could not be made again from its segments', { recordingId: state.view.id, problem });
  } finally {
    state.filesUnderWay -= 1;
  }
}

/** Makes one file of all, when no worker is needed any more. @returns the end as it is with the files that were made again */
export async function putTogether(state: RecordingState, end: End): Promise<End> {
  if (state.filesUnderWay > 0) {
    finishing(state);
    await condition(() => state.filesUnderWay === 0);
  }
  await joinParts(state);
  if (!state.hasFiles) return end;
  return endWithRebuilt(end, state.asked === 'cancelled' ? undefined : state.asked);
}

async function joinParts(state: RecordingState): Promise<void> {
  const { keepFolder, request } = state.input;
  const parts = state.joinable;
  const { output = 'both' } = request;
  if (keepFolder === undefined || output === 'parts' || parts.length < 2) return;
  finishing(state);
  try {
    const isAlone = output === 'joined';
    state.joined(await media().joinParts({ ...kept(state, keepFolder), parts, isAlone }), isAlone);
  } catch (error) {
    const problem = problemOf(error);
    state.view.joinProblem = problem;
    log.warn('its parts could not be joined', { recordingId: state.view.id, problem });
  }
}

/** It is no demand any more, and takes as long as its files do. */
function finishing(state: RecordingState): void {
  if (state.view.stage === 'stopping') return;
  state.enter('stopping');
  state.stopLasts();
}

/** After the end, so that nobody waits for a storage. */
export async function settleFiles(state: RecordingState): Promise<void> {
  const { keepFolder } = state.input;
  // No worker ever had it.
  if (keepFolder === undefined || !state.attempts.anyMade) return;
  const asked = { ...kept(state, keepFolder), ...manifestOf(state), unmade: unmade(state), removed: removed(state) };
  try {
    await settling.settleFiles(asked);
  } catch (error) {
    problemOf(error);
    state.endLasts();
    await settlingLate.settleFiles(asked).catch((late: unknown) => {
      log.warn('segments may be left behind', { recordingId: state.view.id, keepFolder, problem: problemOf(late) });
    });
  }
}

function kept({ input }: RecordingState, keepFolder: string) {
  return { wire: input.wire, storages: input.storages, keepFolder };
}

function manifestOf({ view }: RecordingState): { manifest?: { path: string; text: string } } {
  const [first] = view.parts.flatMap(({ files }) => files);
  return first ? { manifest: { path: manifestName(first.filename), text: renderManifest(view) } } : {};
}

function removed({ view }: RecordingState): string[] {
  return view.parts.flatMap(({ files }) => files.flatMap((file) => (file.removed ? file.filename : [])));
}

function unmade(state: RecordingState): number[] {
  return state.view.parts.flatMap(({ segments, egressId }) =>
    segments === undefined ? [] : (state.attempts.numberOf(egressId) ?? []),
  );
}
