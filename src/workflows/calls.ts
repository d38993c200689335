// The activities of a recording, each with the limits that its meaning asks for.
import {
  ActivityFailure,
  type ActivityOptions,
  condition,
  proxyActivities,
  TemporalFailure,
  workflowInfo,
} from '@temporalio/workflow';
import type {
  DeliveryActivities,
  FilesActivities,
  MediaActivities,
  RecordingActivities,
} from '../activities/contract.ts';
import { mediaTaskQueue } from '../common/media-queue.ts';

/** Short calls that may be repeated freely. */
const LOOK_OPTIONS: ActivityOptions = {
  startToCloseTimeout: '20s',
  retry: { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '15s' },
};
type Looks = Pick<RecordingActivities, 'inspectPart' | 'inspectRoom' | 'lookForSource' | 'wakeFleet'>;
type AnswerTo<Name extends keyof Looks> = Awaited<ReturnType<Looks[Name]>>;
const looks = proxyActivities<Looks>(LOOK_OPTIONS);
/** A look that has no answer by then is made again later, less and less often. */
const LOOK_LIMIT_MS = 30_000;
/** A dispatch: one try, because a second one would record twice. A dead Temporal worker is noticed by its heartbeat. */
export const start = proxyActivities<Pick<RecordingActivities, 'dispatch'>>({
  startToCloseTimeout: '40s',
  // Heartbeats are sent every 80 % of this: on a starved machine the rest must do for one to arrive.
  heartbeatTimeout: '12s',
  retry: { maximumAttempts: 1 },
});
/**
 * LiveKit's record, until LiveKit answers. No local activity: a workflow task that is done again runs those again, and LiveKit would
 * hear of an end twice, and of what came before it afterwards.
 */
export const records = proxyActivities<Pick<RecordingActivities, 'publishRecord'>>({
  startToCloseTimeout: '10s',
  scheduleToCloseTimeout: '24h',
  retry: { initialInterval: '500ms', backoffCoefficient: 1.5, maximumInterval: '5s' },
});
/** The same for the end: a few tries, then the end shows in Temporal's index before LiveKit knows it. */
export const endRecords = proxyActivities<Pick<RecordingActivities, 'publishRecord'>>({
  startToCloseTimeout: '10s',
  retry: { initialInterval: '500ms', backoffCoefficient: 1.5, maximumAttempts: 3 },
});
/** What an application waits for: a few tries, then an answer. */
export const streams = proxyActivities<Pick<RecordingActivities, 'changeRunningStreams' | 'changeWantedStreams'>>({
  startToCloseTimeout: '8s',
  retry: { maximumAttempts: 1 },
});
/** Whoever cannot be asked is given up soon: a recorder that lives is then stopped, and nobody waits for Redis. */
export const finder = proxyActivities<Pick<RecordingActivities, 'findAttempt'>>({
  startToCloseTimeout: '8s',
  retry: { initialInterval: '500ms', maximumAttempts: 3 },
});
/** A stop that fails is repeated after the next look, not in place: the egress may have ended by then. */
export const stop = proxyActivities<Pick<RecordingActivities, 'stopPart'>>({
  startToCloseTimeout: '20s',
  retry: { maximumAttempts: 2 },
});
/** A recording ends when everything it has to tell is handed over; Temporal alone is waited for. */
export const announcing = proxyActivities<Pick<DeliveryActivities, 'announce'>>({
  startToCloseTimeout: '20s',
  retry: { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '15s' },
});
/** One try; the delivery decides about the next one. */
export const sending = proxyActivities<Pick<DeliveryActivities, 'sendEvent'>>({
  startToCloseTimeout: '30s',
  retry: { maximumAttempts: 1 },
});
export const lookup = proxyActivities<Pick<DeliveryActivities, 'findRecording'>>({
  startToCloseTimeout: '20s',
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '5m' },
});

/** Where there is ffmpeg. A recording that ends waits for it, so nobody there is noticed soon. */
export function media(): MediaActivities {
  return proxyActivities<MediaActivities>({
    taskQueue: mediaTaskQueue(workflowInfo().taskQueue),
    scheduleToStartTimeout: '30s',
    startToCloseTimeout: '2h',
    heartbeatTimeout: '60s',
    retry: { initialInterval: '2s', backoffCoefficient: 2, maximumInterval: '1m', maximumAttempts: 5 },
  });
}
/** One try while the recording ends, then as long as it takes. */
export const settling = proxyActivities<FilesActivities>({
  startToCloseTimeout: '20s',
  retry: { maximumAttempts: 1 },
});
export const settlingLate = proxyActivities<FilesActivities>({
  startToCloseTimeout: '10m',
  scheduleToCloseTimeout: '24h',
  retry: { initialInterval: '5s', backoffCoefficient: 2, maximumInterval: '10m' },
});

interface WithOptions<Input, Result> {
  executeWithOptions(options: ActivityOptions, args: [Input]): Promise<Result>;
}

type Answer<T> = { answer: T } | { problem: string };

/** Whom an abandoned question would outlive. */
interface Asker {
  inBackground(steps: readonly Promise<unknown>[]): Promise<void>;
}

/**
 * Asks the world something that may have no answer: neither a deadline nor somebody who ends the recording waits for it.
 * @param isOver then nobody cares for the answer any more @param byMs at the latest, unix ms; without a timer
 */
export async function ask<Name extends keyof Looks>(
  asker: Asker,
  name: Name,
  input: Parameters<Looks[Name]>[0],
  { isOver, byMs }: { isOver: () => boolean; byMs: number },
): Promise<Answer<AnswerTo<Name>>> {
  const look = looks[name] as unknown as WithOptions<typeof input, AnswerTo<Name>>;
  const limitMs = Math.min(Math.max(byMs - Date.now(), 1_000), LOOK_LIMIT_MS);
  let known: Answer<AnswerTo<Name>> | undefined;
  const asked = look.executeWithOptions({ ...LOOK_OPTIONS, scheduleToCloseTimeout: limitMs }, [input]).then(
    (answer) => {
      known = { answer };
    },
    (error: unknown) => {
      known = { problem: problemOf(error) };
    },
  );
  // A mistake of our own must show.
  await Promise.race([asker.inBackground([asked]), condition(() => known !== undefined || isOver())]);
  return known ?? { problem: 'it was not waited for' };
}

/**
 * What an activity failed with; that of a local one comes as it is. Everything else is a mistake of our own and must show.
 * @throws what is no failure of Temporal's
 */
export function problemOf(error: unknown): string {
  if (!(error instanceof TemporalFailure)) throw error;
  return (error instanceof ActivityFailure ? error.cause?.message : undefined) ?? error.message;
}
