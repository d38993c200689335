// What follows from the source of a recording. Apart from request.ts, so that workflows can use it without bundling zod.
import type { RecordingSource } from './request.ts';

/** The room a source lives in; web pages have none. */
export function roomOf(source: RecordingSource): string | undefined {
  return source.type === 'web' ? undefined : source.room;
}
