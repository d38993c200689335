// How recordings are found: every query for Temporal's index, and its rows back in our words. What the index says lags behind by a
// second; whoever must be sure asks the workflow. Pure but for the codec.
import { defaultPayloadConverter, type Payload, type PayloadCodec } from '@temporalio/common';
import type { temporal } from '@temporalio/proto';
import { quoted, roomKeyword, tenantKeyword } from '../recording/keywords.ts';
import { isEnded, STAGES, type Stage, WAITING_FOR, type WaitingFor } from '../recording/stage.ts';
import type { RecordingMemo } from '../workflows/messages.ts';

export type Row = temporal.api.workflow.v1.IWorkflowExecutionInfo;

export interface RecordingFilter {
  stage?: Stage | undefined;
  room?: string | undefined;
  fleet?: string | undefined;
  tenant?: string | undefined;
  label?: readonly string[] | undefined;
}

/** @param fleets of this configuration; the query may name one of them */
export function listFilter(fleets: readonly string[], query: RecordingFilter): string {
  return all([
    ...ofFleets(query.fleet === undefined ? fleets : [query.fleet]),
    // A run that went on in another one is no recording of its own.
    "ExecutionStatus != 'ContinuedAsNew'",
    ...(query.stage === undefined ? [] : stageFilter(query.stage)),
    ...(query.room === undefined ? [] : [`RecordingRoom = ${quoted(roomKeyword(query.room))}`]),
    ...(query.tenant === undefined ? [] : [`RecordingLabels = ${quoted(tenantKeyword(query.tenant))}`]),
    ...(query.label ?? []).map((label) => `RecordingLabels = ${quoted(label)}`),
  ]);
}

/** Every open recording of a fleet. */
export function openIn(fleet: string): string {
  return all([...ofFleets([fleet]), "ExecutionStatus = 'Running'"]);
}

/** Those of them that start or wait. */
export function queueOf(fleet: string): string {
  return all([openIn(fleet), "RecordingStage IN ('starting', 'waiting')"]);
}

export interface QueuePlace {
  workflowId: string;
  fleet: string;
  /** 1 first, 5 last. */
  priority: number;
  /** When it was asked for or became due, unix ms. */
  sinceMs: number;
}

/**
 * Those that wait for capacity before this one: priority first, then who was there first.
 * @param askers workflow ids left out: it waits itself, and its start may be older than its due time
 */
export function aheadOf({ fleet, priority, sinceMs }: QueuePlace, askers: readonly string[]): string {
  const since = new Date(sinceMs).toISOString();
  return all([
    waitingForCapacity([fleet]),
    `WorkflowId NOT IN (${askers.map(quoted).join(', ')})`,
    `(RecordingPriority < ${priority} OR (RecordingPriority = ${priority} AND StartTime < '${since}'))`,
  ]);
}

/**
 * Recordings of these rooms that have no egress now: only these need to hear that a room came or went.
 * @param rooms as the index holds them
 */
export function undecidedInRooms(fleets: readonly string[], rooms: readonly string[]): string {
  return all([
    ...ofFleets(fleets),
    `RecordingRoom IN (${rooms.map(quoted).join(', ')})`,
    "RecordingStage IN ('waiting', 'starting', 'paused')",
    "ExecutionStatus = 'Running'",
  ]);
}

/** Recordings in the queues. */
export function waitingForCapacity(fleets: readonly string[]): string {
  return all([...ofFleets(fleets), "RecordingWaitingFor = 'capacity'", "ExecutionStatus = 'Running'"]);
}

/** Recordings that need a worker now: they record, start, or wait for capacity. */
export function demandFilter(fleet: string): string {
  return all([
    ...ofFleets([fleet]),
    "ExecutionStatus = 'Running'",
    "(RecordingStage IN ('starting', 'recording', 'stopping') OR RecordingWaitingFor = 'capacity')",
  ]);
}

export function openInStage(fleet: string, stage: Stage): string {
  return all([...ofFleets([fleet]), ...stageFilter(stage)]);
}

/** The fleet whose queue it is in, and whose workers record it. */
export function fleetOf(row: Row): string {
  return keywordOf(row, 'RecordingFleet') ?? '';
}

/** As the index holds it; empty for a page. */
export function indexedRoomOf(row: Row): string {
  return keywordOf(row, 'RecordingRoom') ?? '';
}

export function recordingIdOf(row: Row): string {
  return row.execution?.workflowId ?? '';
}

/**
 * The memo's four fields, each its own payload. Undefined for workflows that are no recording of ours.
 * @param codecs of the client that asked for the row
 * @throws PayloadKeyError when the key that encrypted it is gone
 */
export async function memoOf(row: Row, codecs: readonly PayloadCodec[]): Promise<RecordingMemo | undefined> {
  const entries = Object.entries(row.memo?.fields ?? {});
  let payloads = entries.map(([, payload]) => payload as Payload);
  for (const codec of codecs.toReversed()) payloads = await codec.decode(payloads);
  const fields = Object.fromEntries(entries.map(([key], index) => [key, decode(payloads[index] ?? {})]));
  return fields.request === undefined ? undefined : (fields as unknown as RecordingMemo);
}

/** One that completed need not say so: its workflow did. Terminated or failed from outside is failed. */
export function stageOf(row: Row): Stage {
  const stage = attribute(row, 'RecordingStage', STAGES) ?? 'starting';
  if (isOpen(row) || isEnded(stage)) return stage;
  return row.status === CLOSED ? 'completed' : 'failed';
}

/** WORKFLOW_EXECUTION_STATUS_RUNNING, _COMPLETED */
const [OPEN, CLOSED] = [1, 2] as const;

export function isOpen(row: Row): boolean {
  return row.status === OPEN;
}

export function waitingForOf(row: Row): WaitingFor | undefined {
  return attribute(row, 'RecordingWaitingFor', WAITING_FOR);
}

/** While the workflow is open its stage tells; how it ended is upserted before it closes, unless it just completed. */
function stageFilter(stage: Stage): string[] {
  const filter = `RecordingStage = ${quoted(stage)}`;
  if (stage === 'completed') {
    const otherEnds = STAGES.filter((other) => isEnded(other) && other !== stage).map(quoted);
    return [`(${filter} OR (ExecutionStatus = 'Completed' AND RecordingStage NOT IN (${otherEnds.join(', ')})))`];
  }
  if (stage === 'failed') return [`(${filter} OR ExecutionStatus IN ('Failed', 'Terminated', 'TimedOut'))`];
  return isEnded(stage) ? [filter] : [filter, "ExecutionStatus = 'Running'"];
}

function ofFleets(fleets: readonly string[]): string[] {
  const [one = '', ...more] = fleets.map(quoted);
  const condition = more.length === 0 ? `= ${one}` : `IN (${[one, ...more].join(', ')})`;
  return ["WorkflowType = 'recording'", `RecordingFleet ${condition}`];
}

function all(conditions: string[]): string {
  return conditions.join(' AND ');
}

function attribute<T extends string>(row: Row, name: string, known: readonly T[]): T | undefined {
  const text = keywordOf(row, name);
  return known.find((one) => one === text);
}

function keywordOf(row: Row, name: string): string | undefined {
  const payload = row.searchAttributes?.indexedFields?.[name];
  const value = payload ? decode(payload) : undefined;
  const text: unknown = Array.isArray(value) ? value[0] : value;
  return typeof text === 'string' ? text : undefined;
}

function decode(payload: Payload | temporal.api.common.v1.IPayload): unknown {
  return defaultPayloadConverter.fromPayload(payload as Payload);
}
