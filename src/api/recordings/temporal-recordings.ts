// The recordings of the API, kept in Temporal: one workflow each. Every call here is one or two round trips, and every
// failure of Temporal leaves as an error of the catalogue.
import {
  type Client,
  QueryNotRegisteredError,
  QueryRejectedError,
  WorkflowExecutionAlreadyStartedError,
  WorkflowFailedError,
  WorkflowNotFoundError,
  type WorkflowStartOptions,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { defined } from '../../common/defined.ts';
import { someAtOnce } from '../../common/some-at-once.ts';
import type { Arrivals } from '../../fleet/arrivals.ts';
import { ASLEEP_MS } from '../../recording/delays.ts';
import { type EgressReport, isTerminal } from '../../recording/egress.ts';
import { labelKeywords, roomKeyword } from '../../recording/keywords.ts';
import { roomOf } from '../../recording/source.ts';
import { terminatedView } from '../../recording/terminated.ts';
import type { RecordingView } from '../../recording/view.ts';
import type { PlaceRecording } from '../../service/place-recording.ts';
import { PayloadKeyError } from '../../temporal/codec.ts';
import { causes, grpcCode } from '../../temporal/grpc.ts';
import {
  fleetOf,
  indexedRoomOf,
  isOpen,
  listFilter,
  memoOf,
  type Row,
  recordingIdOf,
  stageOf,
  undecidedInRooms,
  waitingForCapacity,
} from '../../temporal/recording-index.ts';
import {
  cancelUpdate,
  extendUpdate,
  fleetWorkflowId,
  kickSignal,
  layoutSignal,
  lookSignal,
  pauseUpdate,
  type RecordingInput,
  type RecordingMemo,
  recordingWorkflowId,
  reportSignal,
  resumeUpdate,
  viewQuery,
} from '../../workflows/messages.ts';
import { KEYS } from '../../workflows/search-attributes.ts';
import { readPageToken, writePageToken } from '../auth/page-token.ts';
import { cached } from '../cached.ts';
import { ApiError, errors } from '../errors.ts';
import type { ListQuery, RecordingPage } from '../schemas.ts';
import type { RecordingState, Recordings } from './recordings.ts';
import { createRoomLooks } from './room-looks.ts';
import { initialView, recordingMemo, staticDetails, staticSummary } from './start-recording.ts';
import { isWanted, millis, summaryOf } from './summary.ts';

/** Each call answers or fails within these. */
const CALL_MS = 10_000;
/** Longer than this for an update means that no Temporal worker is there; a busy one may need a while. */
const UPDATE_MS = 8_000;
const QUERY_MS = 3_000;
/** More recordings of the rooms of one moment than this wait for the fleet pass instead. */
const ROOM_SIGNALS = 1_000;
/** It is changed by hand, if ever. */
const RETENTION_FRESH_MS = 3_600_000;

/** In a burst the fleet is to hear of the first ones while the others are being accepted: with all at once, everybody waits for all. */
const STARTS_AT_ONCE = 16;

export interface TemporalRecordingsSettings {
  /** Of the configuration. */
  fleets: readonly string[];
  taskQueue: string;
  /** Told of each recording that is to start now, from the moment it was asked for. */
  arrivals?: Pick<Arrivals, 'expect' | 'accepted' | 'forget'>;
  /** Says of one that finds no room why it must wait. */
  place?: PlaceRecording;
  /** What LiveKit's record of it holds. */
  lastReportOf?: (id: string) => Promise<EgressReport | undefined>;
}

export function createTemporalRecordings(client: Client, settings: TemporalRecordingsSettings): Recordings {
  const within = <T>(ms: number, call: () => Promise<T>) => client.withDeadline(Date.now() + ms, call);
  const handle = (id: string) => client.workflow.getHandle(recordingWorkflowId(id));
  const turn = someAtOnce(STARTS_AT_ONCE);
  const codecs = client.options.loadedDataConverter.payloadCodecs;
  const waitingIn = createRoomLooks(async (rooms) => {
    const { executions } = await within(CALL_MS, () =>
      client.workflowService.listWorkflowExecutions({
        namespace: client.options.namespace,
        query: undecidedInRooms(settings.fleets, rooms),
        pageSize: ROOM_SIGNALS,
      }),
    );
    return executions;
  }, indexedRoomOf);

  /** The namespace's retention. */
  let keptForMs: number | undefined;
  const learnRetention = cached(RETENTION_FRESH_MS, async () => {
    const { namespace } = client.options;
    const { config } = await within(CALL_MS, () => client.workflowService.describeNamespace({ namespace }));
    keptForMs = Number(config?.workflowExecutionRetentionTtl?.seconds ?? 0) * 1_000 || undefined;
  });

  async function describe(id: string) {
    const description = await within(CALL_MS, () => handle(id).describe()).catch((error: unknown) => {
      if (error instanceof WorkflowNotFoundError) throw errors.recordingNotFound(id);
      throw asApiError(error);
    });
    const row = description.raw.workflowExecutionInfo ?? {};
    const memo = await memoOf(row, codecs);
    if (!memo) throw errors.recordingNotFound(id);
    return { row, memo };
  }

  async function endedView(id: string, found: { row: Row; memo: RecordingMemo }) {
    try {
      return (await within(CALL_MS, () => handle(id).result())) as RecordingView;
    } catch (error) {
      if (!(error instanceof WorkflowFailedError)) throw asApiError(error);
      return brokenView(id, found, error);
    }
  }

  /** An operator terminated it, or it failed. A query is answered from its history; LiveKit hears what ended afterwards. */
  async function brokenView(id: string, { row, memo }: { row: Row; memo: RecordingMemo }, error: WorkflowFailedError) {
    const [known, record] = await Promise.all([
      within(QUERY_MS, () => handle(id).query(viewQuery)).catch(() => initialView(id, fleetOf(row), memo)),
      settings.lastReportOf?.(id).catch(() => undefined),
    ]);
    const message = `its workflow did not end by itself: ${error.cause?.message ?? error.message}`;
    return terminatedView(known, { message, atMs: millis(row.closeTime), record });
  }

  async function begin(asked: RecordingInput): Promise<{ isNew: boolean; memo: RecordingMemo }> {
    const input = (await settings.place?.(asked)) ?? asked;
    const memo = recordingMemo(input);
    try {
      await within(CALL_MS, () => client.workflow.start('recording', startOptions(input, memo, settings)));
      return { isNew: true, memo };
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw asApiError(error, input.id);
      return { isNew: false, memo: (await describe(input.id)).memo };
    }
  }

  /** Room has become free: whoever waits need not wait for the next pass. A hint, so its failure is nobody's. */
  async function handOn(recordingId: string): Promise<void> {
    const waits = async (fleets: readonly string[]) =>
      (await client.workflow.count(waitingForCapacity(fleets))).count > 0;
    await within(CALL_MS, async () => {
      if (!(await waits(settings.fleets))) return;
      const fleet = fleetOf((await describe(recordingId)).row);
      if (settings.fleets.length > 1 && !(await waits([fleet]))) return;
      await client.workflow.getHandle(fleetWorkflowId(fleet)).signal(kickSignal, { why: 'an egress ended' });
    }).catch(() => undefined);
  }

  /** Both updates fail in the same ways: refused by the workflow, too late, or nobody there to run them. */
  async function update(id: string, run: () => Promise<RecordingView>): Promise<RecordingView> {
    try {
      return await within(UPDATE_MS, run);
    } catch (error) {
      if (error instanceof WorkflowNotFoundError || isCompletedUnderUpdate(error)) {
        throw errors.recordingEnded(id, `it is ${stageOf((await describe(id)).row)}`);
      }
      throw updateError(id, error);
    }
  }

  return {
    async start(asked) {
      const { id, fleet, costCores, request } = asked;
      const { arrivals } = settings;
      if (request.startAt === undefined)
        arrivals?.expect({ id, fleet, costCores, ...defined({ tenant: request.tenant }) });
      try {
        const started = await turn(() => begin(asked));
        if (started.isNew) arrivals?.accepted(id, Date.now());
        else arrivals?.forget(id);
        return started;
      } catch (error) {
        arrivals?.forget(id);
        throw error;
      }
    },

    // Nobody waits for it: what is not known yet is not said.
    keptForMs() {
      void learnRetention().catch(() => undefined);
      return keptForMs;
    },

    list: (query) => within(CALL_MS, () => listPage(client, settings.fleets, query)).catch(rethrow),

    async peek(id): Promise<RecordingState | undefined> {
      const found = await describe(id).catch((error: unknown) => {
        if (error instanceof ApiError && error.code === 'recording_not_found') return undefined;
        throw error;
      });
      if (!found) return undefined;
      return { memo: found.memo, open: isOpen(found.row), revision: Number(found.row.historyLength ?? 0) };
    },

    async show(id) {
      const found = await describe(id);
      if (!isOpen(found.row)) return endedView(id, found);
      try {
        return await within(QUERY_MS, () => handle(id).query(viewQuery));
      } catch (error) {
        if (error instanceof QueryRejectedError || error instanceof WorkflowNotFoundError) return endedView(id, found);
        // Before its first task, or with no Temporal worker: what is on record is still true.
        if (isNoAnswer(error)) return { ...initialView(id, fleetOf(found.row), found.memo), stage: stageOf(found.row) };
        throw asApiError(error);
      }
    },

    cancel: (id, by) => update(id, () => handle(id).executeUpdate(cancelUpdate, { args: [defined({ by })] })),

    pause: (id, by) => update(id, () => handle(id).executeUpdate(pauseUpdate, { args: [defined({ by })] })),

    resume: (id) => update(id, () => handle(id).executeUpdate(resumeUpdate)),

    extend: (id, extension) => update(id, () => handle(id).executeUpdate(extendUpdate, { args: [extension] })),

    async report(recordingId, report) {
      const isWanted = await within(CALL_MS, () => handle(recordingId).signal(reportSignal, report)).then(
        () => true,
        (error: unknown) => {
          ignoreEnded(error);
          return false;
        },
      );
      if (isTerminal(report.status)) void handOn(recordingId);
      return isWanted;
    },

    async noteLayout(recordingId, layout) {
      await within(CALL_MS, () => handle(recordingId).signal(layoutSignal, layout)).catch(ignoreEnded);
    },

    async lookAtRoom(room, why) {
      const ids = (await waitingIn(roomKeyword(room)).catch(rethrow)).map(recordingIdOf);
      await Promise.all(
        ids.map((id) => within(CALL_MS, () => handle(id).signal(lookSignal, { why })).catch(ignoreEnded)),
      );
      return ids.length;
    },
  };
}

function startOptions(
  input: RecordingInput,
  memo: RecordingMemo,
  settings: TemporalRecordingsSettings,
): WorkflowStartOptions {
  const { request } = input;
  const room = roomOf(request.source);
  const labels = labelKeywords(request);
  return {
    workflowId: recordingWorkflowId(input.id),
    taskQueue: settings.taskQueue,
    args: [input],
    workflowIdReusePolicy: 'REJECT_DUPLICATE',
    ...(memo.noRoom === undefined ? {} : { startDelay: ASLEEP_MS }),
    memo: { ...memo },
    priority: { priorityKey: request.priority },
    staticSummary: staticSummary(request),
    staticDetails: staticDetails(input),
    typedSearchAttributes: [
      { key: KEYS.stage, value: initialView(input.id, input.fleet, memo).stage },
      ...(memo.noRoom === undefined ? [] : [{ key: KEYS.waitingFor, value: 'capacity' }]),
      { key: KEYS.fleet, value: input.fleet },
      { key: KEYS.priority, value: request.priority },
      ...(room === undefined ? [] : [{ key: KEYS.room, value: roomKeyword(room) }]),
      ...(labels.length === 0 ? [] : [{ key: KEYS.labels, value: labels }]),
    ],
  };
}

/** Visibility answers open recordings first, the newest of them first, then ended ones, the last to end first. */
async function listPage(client: Client, fleets: readonly string[], query: ListQuery): Promise<RecordingPage> {
  const filter = listFilter(fleets, query);
  const page = await client.workflowService.listWorkflowExecutions({
    namespace: client.options.namespace,
    query: filter,
    pageSize: query.limit,
    nextPageToken: query.pageToken === undefined ? undefined : temporalsToken(query.pageToken, filter),
  });
  const codecs = client.options.loadedDataConverter.payloadCodecs;
  const memos = await Promise.all(page.executions.map((row) => memoOf(row, codecs)));
  const recordings = page.executions
    .flatMap((row, index) => (memos[index] ? [summaryOf(row, memos[index])] : []))
    .filter((summary) => isWanted(summary, query));
  const token = page.nextPageToken;
  return token && token.length > 0 ? { recordings, nextPageToken: writePageToken(token, filter) } : { recordings };
}

function temporalsToken(pageToken: string, filter: string): Uint8Array {
  const token = readPageToken(pageToken, filter);
  if (token) return token;
  throw errors.invalidParameter([
    {
      field: 'pageToken',
      message: 'is not a token of this list and these filters',
      remedy: 'start again from the first page, and keep the filters from page to page',
    },
  ]);
}

function updateError(id: string, error: unknown): ApiError {
  if (error instanceof WorkflowUpdateFailedError && error.cause instanceof ApplicationFailure) {
    if (error.cause.type === 'RecordingEnded') return errors.recordingEnded(id, error.cause.message);
    if (error.cause.type === 'NotPausable') return errors.notPausable(error.cause.message);
    if (error.cause.type === 'InvalidExtension') return errors.invalidExtension(error.cause.message);
  }
  if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError || isNoAnswer(error)) {
    return errors.workerUnavailable(error);
  }
  return asApiError(error);
}

/** The workflow closed between accepting the update and answering it. */
function isCompletedUnderUpdate(error: unknown): boolean {
  return (
    error instanceof WorkflowUpdateFailedError &&
    error.cause instanceof ApplicationFailure &&
    error.cause.type === 'AcceptedUpdateCompletedWorkflow'
  );
}

/** A query before the first workflow task, or without a Temporal worker, runs into its deadline. */
function isNoAnswer(error: unknown): boolean {
  return error instanceof QueryNotRegisteredError || grpcCode(error) === 4 || grpcCode(error) === 9;
}

/** Unavailable, deadline exceeded, resource exhausted, cancelled, aborted: Temporal is not there, or not now. */
const TEMPORAL_AWAY = new Set([1, 4, 8, 10, 14]);

function asApiError(error: unknown, recordingId?: string): ApiError {
  if (error instanceof ApiError) return error;
  const key = causes(error).find((cause) => cause instanceof PayloadKeyError);
  if (key) return errors.encryptionKeyMissing(key.message, error);
  const code = grpcCode(error);
  if (code !== undefined && TEMPORAL_AWAY.has(code)) return errors.temporalUnavailable(error, recordingId);
  return errors.internal(error);
}

function rethrow(error: unknown): never {
  throw asApiError(error);
}

function ignoreEnded(error: unknown): void {
  if (!(error instanceof WorkflowNotFoundError)) throw asApiError(error);
}
