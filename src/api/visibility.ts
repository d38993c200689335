// Temporal visibility as the API uses it: queries with safely quoted values, and rows back as summaries. Pure but for the codec.
import { defaultPayloadConverter, type Payload, type PayloadCodec } from '@temporalio/common';
import type { temporal } from '@temporalio/proto';
import { roomOf } from '../recording/source.ts';
import { isEnded, STAGES, type Stage, WAITING_FOR, type WaitingFor } from '../recording/stage.ts';
import type { RecordingMemo } from '../workflows/messages.ts';
import type { ListQuery, RecordingSummary } from './schemas.ts';
import { keyword, roomKeyword, tenantKeyword } from './start-recording.ts';

export type Row = temporal.api.workflow.v1.IWorkflowExecutionInfo;

export function quoted(value: string): string {
  return `'${keyword(value).replaceAll("'", "''")}'`;
}

/** @param fleets of this configuration; the query may name one of them */
export function listFilter(
  fleets: readonly string[],
  query: Pick<ListQuery, 'stage' | 'room' | 'fleet' | 'tenant' | 'label'>,
): string {
  return all([
    ...ofFleets(query.fleet === undefined ? fleets : [query.fleet]),
    ...(query.stage === undefined ? [] : stageFilter(query.stage)),
    ...(query.room === undefined ? [] : [`RecordingRoom = ${quoted(roomKeyword(query.room))}`]),
    ...(query.tenant === undefined ? [] : [`RecordingLabels = ${quoted(tenantKeyword(query.tenant))}`]),
    ...(query.label ?? []).map((label) => `RecordingLabels = ${quoted(label)}`),
  ]);
}

/** Recordings of a room that have no egress yet: only these need to hear that the room came or went. */
export function undecidedInRoom(fleets: readonly string[], room: string): string {
  return all([
    ...ofFleets(fleets),
    `RecordingRoom = ${quoted(roomKeyword(room))}`,
    "RecordingStage IN ('waiting', 'starting')",
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

export function summaryOf(row: Row, memo: RecordingMemo): RecordingSummary {
  const room = roomOf(memo.request.source);
  const stage = stageOf(row);
  const waitingFor = stage === 'waiting' ? waitingForOf(row) : undefined;
  const endedAtMs = millis(row.closeTime);
  return {
    id: recordingIdOf(row),
    stage,
    fleet: fleetOf(row),
    source: memo.request.source.type,
    ...(room === undefined ? {} : { room }),
    ...(waitingFor === undefined ? {} : { waitingFor }),
    priority: memo.request.priority,
    ...(memo.request.tenant === undefined ? {} : { tenant: memo.request.tenant }),
    labels: memo.request.labels,
    costCores: memo.costCores,
    requestedAtMs: memo.requestedAtMs,
    ...(memo.startAtMs === undefined ? {} : { startAtMs: memo.startAtMs }),
    ...(endedAtMs === undefined ? {} : { endedAtMs }),
  };
}

/** Search attributes are shortened and rewritten; what was asked for is decided here. */
export function isWanted(
  summary: RecordingSummary,
  { room, tenant, label = [] }: Pick<ListQuery, 'room' | 'tenant' | 'label'>,
): boolean {
  if (room !== undefined && summary.room !== room) return false;
  if (tenant !== undefined && summary.tenant !== tenant) return false;
  return label.every((pair) => {
    const [key = ''] = pair.split('=', 1);
    return summary.labels[key] === pair.slice(key.length + 1);
  });
}

/** The fleet whose queue it is in, and whose workers record it. */
export function fleetOf(row: Row): string {
  return keywordOf(row, 'RecordingFleet') ?? '';
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

/** A workflow that closed without an end stage was terminated or failed from outside. */
export function stageOf(row: Row): Stage {
  const stage = attribute(row, 'RecordingStage', STAGES) ?? 'starting';
  return isOpen(row) || isEnded(stage) ? stage : 'failed';
}

export function isOpen(row: Row): boolean {
  return row.status === 1; // WORKFLOW_EXECUTION_STATUS_RUNNING
}

function waitingForOf(row: Row): WaitingFor | undefined {
  return attribute(row, 'RecordingWaitingFor', WAITING_FOR);
}

function millis(time: { seconds?: unknown; nanos?: number | null } | null | undefined): number | undefined {
  if (!time) return undefined;
  return Number(time.seconds ?? 0) * 1_000 + Math.floor((time.nanos ?? 0) / 1e6);
}

/** While the workflow is open its stage tells; an ended stage is upserted just before the workflow closes. */
function stageFilter(stage: Stage): string[] {
  const filter = `RecordingStage = ${quoted(stage)}`;
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
