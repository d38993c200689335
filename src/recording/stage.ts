// The stages of a recording and the stable codes that say why it ended. Plain data: no I/O, no Temporal.

/**
 * scheduled -> starting -> (waiting -> starting)* -> recording -> (starting for the next part)* -> stopping -> an end stage.
 * Whatever has begun may be paused; it goes on with starting.
 * While a recording is admitted but not started it stays `waiting`, so that newcomers queue behind it.
 */
export const OPEN_STAGES = ['scheduled', 'starting', 'waiting', 'recording', 'paused', 'stopping'] as const;
export const END_STAGES = ['completed', 'failed', 'cancelled', 'expired'] as const;
export const STAGES = [...OPEN_STAGES, ...END_STAGES] as const;

export type OpenStage = (typeof OPEN_STAGES)[number];
export type EndStage = (typeof END_STAGES)[number];
export type Stage = (typeof STAGES)[number];

export function isEnded(stage: Stage): stage is EndStage {
  return (END_STAGES as readonly string[]).includes(stage);
}

/** What a `waiting` recording waits for. Only `capacity` is demand for workers. */
export const WAITING_FOR = ['capacity', 'room', 'source'] as const;
export type WaitingFor = (typeof WAITING_FOR)[number];

/** Why a recording ended; stable, part of the API. */
export const END_REASONS = [
  'finished', // the room ended, or its source did, and the file is whole
  'gave_up', // too many parts ended early: what they left is kept, the rest is missing
  'upload_failed', // storage refused the file of the last part; with files of earlier parts it is `completed` all the same
  'nothing_to_record', // nobody published before the end
  'max_duration', // the deadline of the recording was reached and the file is whole
  'stopped', // stopped through LiveKit, as an application that is done does; the file is whole
  'cancelled', // somebody asked for it
  'start_deadline', // no capacity within startWithin
  'room_ended', // the room ended while the recording waited
  'room_never_appeared', // the room did not exist within startWithin
  'refused', // LiveKit refused the request for good
  'worker_lost', // the worker died and no part was kept or could follow
  'egress_failed', // the egress failed and may not be tried again, or too often; no file was kept
  'source_missing', // the participant or track was not in the room within startWithin
  'participants_left', // stopWhen: too few people were in the room for too long
  'terminated', // its workflow was ended from outside, in Temporal; the API says so, the workflow never does
] as const;
export type EndReason = (typeof END_REASONS)[number];
