// What the outputs of Reelkit's own requests have in common on their way to LiveKit's: where they are put. Pure.
import type { RecordingOutput } from '../../recording/request.ts';
import type { InlineStorage } from '../../recording/request-storage.ts';

export type OutputOf<Type extends RecordingOutput['type']> = Extract<RecordingOutput, { type: Type }>;

/** The path of a template inside its storage; both as configured when they are absent. */
export type Place = (template: string | undefined, storage: InlineStorage | string | undefined) => string;
