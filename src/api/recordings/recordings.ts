// What the API asks of the recordings it keeps no record of: a narrow interface, implemented on Temporal in
// temporal-recordings.ts and in memory by the unit tests.
import type { EgressReport } from '../../recording/egress.ts';
import type { RecordingView } from '../../recording/view.ts';
import type { ExtendBy, RecordingInput, RecordingMemo } from '../../workflows/messages.ts';
import type { ListQuery, RecordingPage } from '../schemas.ts';

export interface RecordingState {
  memo: RecordingMemo;
  open: boolean;
  /** Another one after every change. */
  revision: number;
}

/** Every method may throw ApiError `temporal_unavailable`. */
export interface Recordings {
  /** @returns what is kept with it; `isNew: false` when the id was taken before: what was kept then */
  start(input: RecordingInput): Promise<{ isNew: boolean; memo: RecordingMemo }>;
  /** How long Temporal keeps one that has ended; undefined while nobody knows. */
  keptForMs(): number | undefined;
  list(query: ListQuery): Promise<RecordingPage>;
  /** @returns undefined when there is no such recording. Free of charge on Temporal Cloud, unlike `show`. */
  peek(id: string): Promise<RecordingState | undefined>;
  /** @throws ApiError recording_not_found */
  show(id: string): Promise<RecordingView>;
  /** @throws ApiError recording_not_found, recording_ended */
  cancel(id: string, by: string | undefined): Promise<RecordingView>;
  /** @returns once no worker records it any more @throws ApiError recording_not_found, recording_ended, not_pausable */
  pause(id: string, by: string | undefined): Promise<RecordingView>;
  /** @throws ApiError recording_not_found, recording_ended */
  resume(id: string): Promise<RecordingView>;
  /** @throws ApiError recording_not_found, recording_ended, invalid_extension */
  extend(id: string, extension: ExtendBy): Promise<RecordingView>;
  /** What a worker reported. Durable once it settles. @returns false when the recording has ended, or never was */
  report(recordingId: string, report: EgressReport): Promise<boolean>;
  /** LiveKit has told its recorder this layout. Nothing happens to what is no open recording. */
  noteLayout(recordingId: string, layout: string): Promise<void>;
  /** Makes every recording of the room that waits or starts look at LiveKit. @returns how many */
  lookAtRoom(room: string, why: string): Promise<number>;
}
