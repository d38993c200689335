// What outlives the workers of a recording: which parts are made again from their segments, under which name, and what that means for
// the recording's end. Pure.
import type { EndReason, EndStage } from './stage.ts';
import type { PartView } from './view.ts';

const EXTENSION = /\.[A-Za-z0-9]{1,5}$/;

/** Not the name that the worker would have given it: one that wakes up late may still write that. */
export function rebuiltName(filename: string): string {
  return `${filename.replace(EXTENSION, '')}-rebuilt.mp4`;
}

export function joinedName(filename: string): string {
  return `${filename.replace(EXTENSION, '')}-joined.mp4`;
}

export function manifestName(filename: string): string {
  return `${filename.replace(EXTENSION, '')}.recording.json`;
}

/** Media flowed, and no file came of it. */
export function wantsRebuild({ egressId, startedAtMs, files, end }: PartView): boolean {
  return egressId !== undefined && startedAtMs !== undefined && files.length === 0 && end?.status !== 'HUNG';
}

interface Ended {
  stage: EndStage;
  reason: EndReason;
  message: string;
}

/** One that had ended as failed for want of a file, and has one now. */
export function endWithRebuilt<T extends Ended>(end: T, asked: 'stopped' | 'participants_left' | undefined): Ended | T {
  if (end.stage !== 'failed') return end;
  const message = `${end.message}; what had been recorded until then was kept`;
  switch (end.reason) {
    case 'worker_lost':
      return { stage: 'completed', reason: asked ?? 'finished', message };
    case 'egress_failed':
    case 'source_missing':
      return { stage: 'completed', reason: 'finished', message };
    case 'upload_failed':
      return { stage: 'completed', reason: 'upload_failed', message };
    default:
      return { stage: 'completed', reason: 'gave_up', message };
  }
}
