// The search attributes of a recording workflow, as Temporal must know them. Plain data, used by workflows, API and doctor.

export const SEARCH_ATTRIBUTES = {
  RecordingStage: 'Keyword',
  RecordingRoom: 'Keyword',
  RecordingFleet: 'Keyword',
  RecordingPriority: 'Int',
  /** `capacity` or `room` while the stage is `waiting`. */
  RecordingWaitingFor: 'Keyword',
  /** Each label as `key=value`. */
  RecordingLabels: 'KeywordList',
} as const;
