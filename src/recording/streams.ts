// The URLs a recording streams to: a change of them, and what they mean for it. Pure.
import type { RecordingOutput } from './request-outputs.ts';

/** Full URLs, keys and all: they go into no log. */
export interface StreamChange {
  add: string[];
  remove: string[];
}

/** A server takes one sender for each of its streams: no other worker can take such a recording over while the first one sends. */
export function isStreamed(outputs: readonly RecordingOutput[]): boolean {
  return outputs.some(({ type }) => type === 'stream');
}
