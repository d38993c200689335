// The search attributes of a recording, as the code writes and reads them.
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';

export const KEYS = {
  stage: defineSearchAttributeKey('RecordingStage', SearchAttributeType.KEYWORD),
  waitingFor: defineSearchAttributeKey('RecordingWaitingFor', SearchAttributeType.KEYWORD),
  room: defineSearchAttributeKey('RecordingRoom', SearchAttributeType.KEYWORD),
  fleet: defineSearchAttributeKey('RecordingFleet', SearchAttributeType.KEYWORD),
  priority: defineSearchAttributeKey('RecordingPriority', SearchAttributeType.INT),
  labels: defineSearchAttributeKey('RecordingLabels', SearchAttributeType.KEYWORD_LIST),
};
