// What LiveKit asks of recordings, carried out on Temporal: accept one, stop one, change its streams. Every failure leaves as psrpc's
// error: `unavailable` makes LiveKit ask again.
import { type Client, WorkflowFailedError, WorkflowNotFoundError, WorkflowUpdateFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { canonicalHash } from '../api/recordings/ids.ts';
import type { Recordings } from '../api/recordings/recordings.ts';
import { RpcError } from '../bus/error.ts';
import { defined } from '../common/defined.ts';
import { costOf } from '../fleet/cost.ts';
import { type ServingFleets, servingFleet } from '../fleet/serving.ts';
import type { IntakeRecordings } from '../livekit/intake.ts';
import { infoOf } from '../livekit/record.ts';
import { keepFolderFor, liftRequest, type StartMessage } from '../livekit/request/index.ts';
import type { RecordFacts } from '../recording/record-state.ts';
import { recordStateOf } from '../recording/record-state.ts';
import type { RecordingRequest } from '../recording/request.ts';
import { applyRules, type Rule } from '../recording/rules.ts';
import { roomOf } from '../recording/source.ts';
import type { RecordingView } from '../recording/view.ts';
import { type ReceiverRule, receiversOf } from '../recording/webhooks/receivers.ts';
import { type RecordingInput, recordingWorkflowId, stopUpdate, streamsUpdate } from '../workflows/messages.ts';

/** LiveKit waits 10 s for one request, its callers 10 s for all of them. */
const CALL_MS = 8_000;

export interface IntakeSettings {
  fleets: ServingFleets;
  rules: readonly Rule[];
  receivers: readonly ReceiverRule[];
}

export function createIntakeRecordings(
  client: Client,
  recordings: Pick<Recordings, 'start'>,
  settings: IntakeSettings,
): IntakeRecordings {
  const within = <T>(call: () => Promise<T>) => client.withDeadline(Date.now() + CALL_MS, call);
  const handle = (id: string) => client.workflow.getHandle(recordingWorkflowId(id));

  async function update(id: string, verb: string, run: () => Promise<RecordFacts>) {
    try {
      return infoOf(await within(run));
    } catch (error) {
      if (hasEnded(error)) throw await endedError(id, verb);
      throw asRpcError(error);
    }
  }

  /** In LiveKit's own words. */
  async function endedError(id: string, verb: string): Promise<RpcError> {
    const status = await within(() => handle(id).result())
      .then((view) => recordStateOf(view as RecordingView).status)
      .catch((error: unknown) => {
        if (error instanceof WorkflowFailedError) return 'FAILED';
        throw asRpcError(error);
      });
    return new RpcError('failed_precondition', `egress with status EGRESS_${status} cannot be ${verb}`);
  }

  return {
    async accept(message, atMs) {
      const input = inputOf(message, settings, atMs);
      const { isNew, memo } = await recordings.start(input).catch((error: unknown) => {
        throw new RpcError('unavailable', 'the recording could not be kept now', { cause: error });
      });
      return { acceptedAtMs: isNew ? atMs : memo.requestedAtMs };
    },
    async knows(egressId) {
      try {
        await within(() => handle(egressId).describe());
        return true;
      } catch (error) {
        if (error instanceof WorkflowNotFoundError) return false;
        throw error;
      }
    },
    stop: (egressId) => update(egressId, 'stopped', () => handle(egressId).executeUpdate(stopUpdate)),
    updateStreams: (egressId, change) =>
      update(egressId, 'updated', () => handle(egressId).executeUpdate(streamsUpdate, { args: [change] })),
  };
}

function inputOf(message: StartMessage, { fleets, rules, receivers }: IntakeSettings, atMs: number): RecordingInput {
  const lifted = liftRequest(message);
  const room = roomOf(lifted.source);
  const subject = { source: lifted.source.type, ...(room === undefined ? {} : { room }) };
  const rule = applyRules(rules, subject);
  const { fleet: wanted, stopWhen, ...defaults } = rule;
  const fleet = servingFleet(fleets, wanted);
  const left = stopWhen === undefined || room === undefined ? {} : { stopWhen };
  const request = { ...lifted, ...defaults, ...left } as RecordingRequest;
  const told = receiversOf(receivers, { ...subject, labels: request.labels });
  const keepFolder = keepFolderFor(message, [], {});
  const wire = Buffer.from(message.toBinary()).toString('base64');
  return {
    id: message.egressId,
    fleet: fleet.name,
    request,
    costCores: costOf(request.source, fleet.costs),
    requestedAtMs: atMs,
    requestHash: canonicalHash(wire),
    wire,
    storages: [],
    origin: 'livekit',
    ...defined({ keepFolder }),
    ...(message.roomId === '' || room === undefined ? {} : { roomId: message.roomId }),
    ...(told.length > 0 ? { receivers: told } : {}),
  };
}

function hasEnded(error: unknown): boolean {
  if (error instanceof WorkflowNotFoundError) return true;
  return (
    error instanceof WorkflowUpdateFailedError &&
    error.cause instanceof ApplicationFailure &&
    (error.cause.type === 'RecordingEnded' || error.cause.type === 'AcceptedUpdateCompletedWorkflow')
  );
}

function asRpcError(error: unknown): RpcError {
  if (error instanceof RpcError) return error;
  if (error instanceof WorkflowUpdateFailedError && error.cause instanceof ApplicationFailure) {
    const [code] = error.cause.details ?? [];
    if (error.cause.type === 'Refused' && typeof code === 'string') return new RpcError(code, error.cause.message);
  }
  return new RpcError('unavailable', 'the recording did not answer in time', { cause: error });
}
