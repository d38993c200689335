// The open recordings as Temporal knows them: listed by search attribute, spoken to by signal. Listing costs no Temporal action.

import type { Client, WorkflowExecutionInfo } from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/client';
import { defined } from '../common/defined.ts';
import type { Look } from '../fleet/strays.ts';
import { ASLEEP_MS } from '../recording/delays.ts';
import { DEFAULTS, type RecordingRequest, type StopWhen } from '../recording/request.ts';
import { roomOf } from '../recording/source.ts';
import { isEnded, STAGES, type Stage, WAITING_FOR, type WaitingFor } from '../recording/stage.ts';
import { isStreamed } from '../recording/streams.ts';
import { openIn, queueOf } from '../temporal/recording-index.ts';
import { first } from '../temporal/visibility-calls.ts';
import {
  admittedSignal,
  admittedUpdate,
  lookSignal,
  type RecordingMemo,
  recordingWorkflowId,
  viewQuery,
} from '../workflows/messages.ts';
import { KEYS } from '../workflows/search-attributes.ts';

export interface OpenRecording {
  id: string;
  /** An ended one stays open until LiveKit's record says so, too: it wants nothing any more. */
  stage: Stage;
  waitingFor?: WaitingFor;
  priority: number;
  costCores: number;
  /** When it was asked for, or became due. */
  sinceMs: number;
  tenant?: string;
  /** Had it begun when it was asked for, it would stop then. */
  endsByMs?: number;
  startAtMs?: number;
  /** No other worker can take it over: two cannot send one stream. */
  stays?: true;
  /** Its room and when to stop there, if it says so. */
  attended?: { room: string; stopWhen: StopWhen };
  /** It may have had no workflow task before this. */
  asleepUntilMs?: number;
}

interface LookPayload {
  why: string;
  /** `lost`: two witnesses say that `egressId` runs no more. `runs_already`: it lives, and the recording waits. */
  code: Look['code'] | 'lost';
  egressId?: string;
}

/** unknown: it has no workflow, so it is not Reelkit's, or its history is gone. */
export type RecordingState = 'open' | 'ended' | 'unknown';

export interface OpenRecordings {
  list(fleet: string): Promise<OpenRecording[]>;
  /** How many start or wait. */
  countQueue(fleet: string): Promise<number>;
  /** @param onto topic of the only worker it may start on @returns false when it has ended meanwhile */
  admit(id: string, onto?: string): Promise<boolean>;
  askToLook(id: string, look: LookPayload): Promise<boolean>;
  /** Straight from its history, not from the index: for what must not be wrong. */
  statusOf(id: string): Promise<RecordingState>;
  /** Fixed when it was accepted. Undefined when it has no workflow. */
  fleetOf(id: string): Promise<string | undefined>;
  /** The oldest egress it believes in. A query: asked only when two claim to be it. */
  currentEgress(id: string): Promise<string | undefined>;
}

/** Temporal's clock and ours differ; an update does no harm to one that is awake. */
const CLOCKS_MS = 1_000;
const WAKE_MS = 5_000;
/** Recordings whose fleet is remembered; looking one up costs a call. */
const REMEMBERED = 20_000;

export function createOpenRecordings(client: Client): OpenRecordings {
  const handle = (id: string) => client.workflow.getHandle(recordingWorkflowId(id));
  const fleets = new Map<string, string>();
  const noteFleet = (id: string, fleet: string) => {
    fleets.set(id, fleet);
    const [oldest] = fleets.keys();
    if (fleets.size > REMEMBERED && oldest !== undefined) fleets.delete(oldest);
  };
  const asleepUntil = new Map<string, number>();
  const noteAsleep = (found: readonly OpenRecording[]) => {
    for (const [id, untilMs] of asleepUntil) if (untilMs < Date.now()) asleepUntil.delete(id);
    for (const { id, asleepUntilMs = 0 } of found) if (asleepUntilMs > Date.now()) asleepUntil.set(id, asleepUntilMs);
  };
  return {
    async list(fleet) {
      const query = openIn(fleet);
      const found: OpenRecording[] = [];
      // Everybody who waits, waits for the pass.
      await first(client, async () => {
        for await (const info of client.workflow.list({ query, pageSize: 1_000 })) found.push(toOpenRecording(info));
      });
      for (const { id } of found) noteFleet(id, fleet);
      noteAsleep(found);
      return found;
    },
    async countQueue(fleet) {
      return first(client, async () => (await client.workflow.count(queueOf(fleet))).count);
    },
    admit: (id, onto) =>
      unlessEnded(() => {
        const admission = onto === undefined ? {} : { onto };
        return (asleepUntil.get(id) ?? 0) > Date.now()
          ? client.withDeadline(Date.now() + WAKE_MS, () =>
              handle(id).executeUpdate(admittedUpdate, { args: [admission] }),
            )
          : handle(id).signal(admittedSignal, admission);
      }),
    askToLook: (id, look) => unlessEnded(() => handle(id).signal(lookSignal, look)),
    async statusOf(id) {
      let state: RecordingState = 'unknown';
      await unlessEnded(async () => {
        const { status, type, typedSearchAttributes } = await handle(id).describe();
        const isOpen = status.name === 'RUNNING' && !isEnded(stageOf(typedSearchAttributes));
        if (type === 'recording') state = isOpen ? 'open' : 'ended';
      });
      return state;
    },
    async fleetOf(id) {
      if (!fleets.has(id)) {
        await unlessEnded(async () => {
          const fleet = (await handle(id).describe()).typedSearchAttributes.get(KEYS.fleet);
          if (fleet !== undefined) noteFleet(id, fleet);
        });
      }
      return fleets.get(id);
    },
    async currentEgress(id) {
      const view = await handle(id).query(viewQuery);
      return view.parts.at(-1)?.egressId;
    },
  };
}

async function unlessEnded(call: () => Promise<unknown>): Promise<boolean> {
  try {
    await call();
    return true;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
}

export function toOpenRecording(
  info: Pick<WorkflowExecutionInfo, 'workflowId' | 'startTime' | 'memo' | 'typedSearchAttributes'>,
): OpenRecording {
  const memo = (info.memo ?? {}) as Partial<RecordingMemo>;
  const waitingFor = info.typedSearchAttributes.get(KEYS.waitingFor);
  // By one clock for all, whichever host accepted it.
  const sinceMs = memo.queuedSinceMs ?? Math.max(info.startTime.getTime(), memo.startAtMs ?? 0);
  const { tenant, maxDuration = DEFAULTS.maxDurationMs } = memo.request ?? {};
  return {
    id: info.workflowId,
    stage: stageOf(info.typedSearchAttributes),
    ...(isWaitingFor(waitingFor) ? { waitingFor } : {}),
    priority: info.typedSearchAttributes.get(KEYS.priority) ?? DEFAULTS.priority,
    costCores: memo.costCores ?? 0,
    sinceMs,
    ...defined({ tenant }),
    endsByMs: sinceMs + maxDuration,
    ...(memo.startAtMs === undefined ? {} : { startAtMs: memo.startAtMs }),
    ...staysOf(memo.request),
    ...attendedOf(memo.request),
    ...(memo.noRoom === undefined ? {} : { asleepUntilMs: info.startTime.getTime() + ASLEEP_MS + CLOCKS_MS }),
  };
}

function stageOf(attributes: WorkflowExecutionInfo['typedSearchAttributes']): Stage {
  const stage: string | undefined = attributes.get(KEYS.stage);
  return STAGES.find((known) => known === stage) ?? 'starting';
}

function attendedOf(request: RecordingRequest | undefined): Pick<OpenRecording, 'attended'> {
  const { source, stopWhen } = request ?? {};
  const room = source && roomOf(source);
  return room === undefined || stopWhen === undefined ? {} : { attended: { room, stopWhen } };
}

function staysOf({ outputs = [] }: Partial<RecordingRequest> = {}): Pick<OpenRecording, 'stays'> {
  return isStreamed(outputs) ? { stays: true } : {};
}

function isWaitingFor(what: string | undefined): what is WaitingFor {
  return (WAITING_FOR as readonly (string | undefined)[]).includes(what);
}
