// The recording's activities: thin calls to the workers' bus, LiveKit and Temporal. No decision is made here.

import { log } from '@temporalio/activity';
import type { Client } from '@temporalio/client';
import { defined } from '../common/defined.ts';
import { messageOf } from '../common/error-message.ts';
import { within } from '../common/within.ts';
import type { Storage } from '../config/storages.ts';
import { unknownFleet } from '../fleet/serving.ts';
import { isDenied, type LiveKitClient } from '../livekit/client.ts';
import type { Departures } from '../livekit/departures.ts';
import type { Grants } from '../livekit/grants.ts';
import { layoutOf } from '../livekit/layouts.ts';
import { infoOf, reportOf } from '../livekit/record.ts';
import { recorderToken } from '../livekit/recorder-token.ts';
import type { LiveKitRecords } from '../livekit/records.ts';
import {
  decodeStart,
  forAttempt,
  streamUrlsChanged,
  withLayout,
  withSegments,
  withStorages,
} from '../livekit/request/index.ts';
import type { RoomWatch } from '../livekit/room-watch.ts';
import { DISPATCH_LIMIT_MS, WorkerRefusal, WorkerSilent, type Workers } from '../livekit/workers.ts';
import { attemptEgressId } from '../recording/attempt.ts';
import { type EgressReport, isTerminal } from '../recording/egress.ts';
import { isPublished } from '../recording/no-media.ts';
import type { RecordingRequest } from '../recording/request.ts';
import { isTheRoom } from '../recording/room.ts';
import { roomOf } from '../recording/source.ts';
import { type AssignedWorker, classifyStart, type QueuePlace, type StartOutcome } from '../recording/start-outcome.ts';
import { lookSignal, recordingWorkflowId } from '../workflows/messages.ts';
import { createAhead } from './ahead.ts';
import type { WorkerChoice } from './choose-worker.ts';
import type { DispatchInput, Hindrance, RecordingActivities, StreamsChanged } from './contract.ts';
import { withHeartbeats } from './heartbeats.ts';
import type { FleetKicker } from './kick.ts';
import { createLookForSource } from './look-for-source.ts';
import type { ProtectBusy } from './protect-busy.ts';

/** How recordings get at the workers of one fleet. */
export interface FleetDoor {
  choice: WorkerChoice;
  protectBusy: ProtectBusy;
  /** It sees a start soon by itself, and has no spare to replace at once. */
  looksSoon: () => boolean;
}

export interface RecordingDeps {
  livekit: LiveKitClient;
  livekitKeys: { apiKey: string; apiSecret: string };
  records: LiveKitRecords;
  workers: Workers;
  grants: Grants;
  departures: Pick<Departures, 'after'>;
  fleets: ReadonlyMap<string, FleetDoor>;
  temporal: Client;
  /** Recordings that a query finds, asked before all else that asks visibility. */
  countFirst: (query: string) => Promise<number>;
  kickFleet: FleetKicker;
  rooms: RoomWatch;
  log: { warn(fields: object, message: string): void };
  storages: Record<string, Storage>;
  /** Its place in the queue of its fleet, where somebody wrote it down. */
  placeOf: (fleet: string, recordingId: string) => Promise<QueuePlace | undefined>;
  metrics: { startOutcome(fleet: string, kind: StartOutcome['kind']): void };
}

/** Whoever waits can do without. */
const PLACE_MS = 250;
const HEARTBEAT_EVERY_MS = 2_000;
/** So young a request has not waited: its room is the one that LiveKit has just seen. */
const FRESH_MS = 5_000;
/** Workers asked for one start, each for a second at most: one that does not claim is passed over. */
const WORKERS_ASKED = 4;
/** Each lasts a second. */
const LOOKS_FOR_ATTEMPT = 2;

export function createRecordingActivities(deps: RecordingDeps): RecordingActivities {
  const { livekit, workers, fleets } = deps;
  const countAhead = createAhead(deps.countFirst);

  return {
    async dispatch(input) {
      // In parallel: the fleet must be awake while anything records, and the start must not wait for it. Whoever was admitted, was so
      // by a fleet that is awake.
      const looksSoon = !input.admitted && fleets.get(input.fleet)?.looksSoon() === true;
      const awake = input.admitted || looksSoon ? undefined : wake(input.fleet, 'a recording starts');
      return withHeartbeats(HEARTBEAT_EVERY_MS, async () => {
        const outcome = await withPlace(input, await dispatch(input));
        deps.metrics.startOutcome(input.fleet, outcome.kind);
        await awake;
        if (looksSoon && outcome.kind !== 'started') await wake(input.fleet, 'a recording waits');
        return outcome;
      });
    },

    async findAttempt({ egressId, fleet }) {
      for (let looks = 0; looks < LOOKS_FOR_ATTEMPT; looks++) {
        if (!(await workers.active()).has(egressId)) return null;
      }
      const worker = await fleets.get(fleet)?.choice.shownBy(egressId);
      return worker ? { worker } : {};
    },

    async inspectPart({ egressId, fleet, identity, worker, request, roomId }) {
      const room = roomOf(request.source);
      const [participants, alive, onWorker] = await Promise.all([
        room === undefined ? [] : livekit.listParticipants(room),
        roomAlive(request, roomId),
        fleets.get(fleet)?.choice.whereIs(egressId, workers.active, worker) ?? ('unknown' as const),
      ]);
      const recorder = participants.find((one) => one.identity === identity);
      const workerEndsAtMs = worker && (await fleets.get(fleet)?.choice.endsAtMs(worker));
      const layout = layoutOf(recorder?.metadata ?? '');
      const others = participants.filter((one) => one !== recorder);
      return {
        inRoom: recorder !== undefined,
        room: alive ? 'alive' : 'gone',
        onWorker,
        ...defined({ layout, workerEndsAtMs, publishes: isPublished(request.source, others) }),
      };
    },

    stopPart({ egressId, waitMs = 0, hungOn }) {
      if (hungOn) fleets.get(hungOn.fleet)?.choice.noteHung(hungOn.topic);
      const mayEnd = (report: EgressReport | null) => report !== null && !isTerminal(report.status);
      return deps.departures.after(egressId, waitMs, () => stop(egressId), mayEnd);
    },

    async changeRunningStreams({ egressId, add, remove }): Promise<StreamsChanged> {
      try {
        return { kind: 'changed', report: reportOf(await workers.updateStream({ egressId, add, remove })) };
      } catch (error) {
        if (error instanceof WorkerRefusal) return { kind: 'refused', code: error.code, message: error.message };
        if (error instanceof WorkerSilent) return { kind: 'refused', code: 'unavailable', message: error.message };
        throw error;
      }
    },

    async changeWantedStreams({ wire, add, remove }): Promise<StreamsChanged> {
      const changed = streamUrlsChanged(decodeStart(fromBase64(wire)), add, remove);
      if (changed.kind === 'refused') return changed;
      return { kind: 'changed', wire: toBase64(changed.message.toBinary()), isEmpty: changed.isEmpty };
    },

    async inspectRoom({ request, roomId }) {
      return { room: (await roomAlive(request, roomId)) ? 'alive' : 'gone' };
    },

    lookForSource: createLookForSource({
      livekit,
      rooms: deps.rooms,
      tell: (id, why) => {
        const told = deps.temporal.workflow.getHandle(recordingWorkflowId(id)).signal(lookSignal, { why });
        // It looks by itself after a while, or has ended.
        told.catch((error: unknown) =>
          deps.log.warn({ recordingId: id, error: String(error) }, 'it could not be told'),
        );
      },
    }),

    async wakeFleet({ fleet, why }) {
      await deps.kickFleet(fleet, why);
    },

    async publishRecord(facts) {
      const info = infoOf(facts);
      const isNew = facts.unlisted && (await livekit.recordOf(facts.recordingId)) === null;
      if (isNew) await deps.records.create(infoOf({ ...facts, state: { status: 'STARTING' }, reports: [] }));
      // As a worker does that finishes its file.
      if (facts.state.status === 'COMPLETE' && facts.told === 'ACTIVE')
        await deps.records.update(infoOf({ ...facts, state: { ...facts.state, status: 'ENDING' } }));
      // Of one that waits LiveKit keeps what changed, and sends no event.
      if (!isNew || facts.state.status !== 'STARTING') await deps.records.update(info);
    },
  };

  async function stop(egressId: string): Promise<EgressReport | null> {
    try {
      return reportOf(await workers.stop(egressId));
    } catch (error) {
      // Ended, or on no worker: there is nothing to stop.
      if (error instanceof WorkerRefusal || error instanceof WorkerSilent) return null;
      throw error;
    }
  }

  async function dispatch(input: DispatchInput): Promise<StartOutcome> {
    const { recordingId, attempt, costCores } = input;
    const fleet = fleets.get(input.fleet);
    if (!fleet) return noCapacity(unknownFleet(input.fleet, [...fleets.keys()]));
    const { choice, protectBusy } = fleet;
    const egressId = attemptEgressId(recordingId, attempt);
    // Counted from here: whoever does not hear of this dispatch for longer has given the attempt up, and then nobody may be granted it.
    const untilMs = Date.now() + DISPATCH_LIMIT_MS;
    const hindrance = input.admitted ? undefined : await whyNotYet(input, choice).catch(notLooked);
    if (hindrance) return hindrance;
    const start = await prepare(input, egressId).catch(notSent);
    if ('kind' in start) return start;
    const passedOver = new Set<string>(input.notOn === undefined ? [] : [input.notOn]);
    let last: StartOutcome | undefined;
    while (passedOver.size < WORKERS_ASKED && Date.now() < untilMs) {
      const worker = await choice
        .choose(recordingId, costCores, { not: passedOver, admitted: input.admitted, onto: input.onto })
        .catch(notSent);
      if (!('topic' in worker)) {
        choice.release(recordingId);
        return last ?? ('missing' in worker ? noCapacity(worker.missing) : worker);
      }
      last = await startOn(worker, egressId, start);
      if (last.kind === 'started') {
        choice.started(recordingId, egressId);
        protectBusy(egressId);
        return last;
      }
      if (last.kind === 'refused') break;
      choice.noteUnanswered(worker.topic);
      if (last.kind !== 'no_capacity') break;
      passedOver.add(worker.topic);
    }
    choice.release(recordingId);
    return last ?? noCapacity('no worker claimed the start');
  }

  /** For whoever looks at the workflow in Temporal's Web UI: what is learned where a try ends anyway costs no action there. */
  async function withPlace({ fleet, recordingId }: DispatchInput, outcome: StartOutcome): Promise<StartOutcome> {
    if (outcome.kind !== 'no_capacity') return outcome;
    const place = await within(PLACE_MS, deps.placeOf(fleet, recordingId)).catch(() => undefined);
    return place ? { ...outcome, place } : outcome;
  }

  /** Workers first: in a burst most find none free, and Temporal limits how often it may be asked to count. */
  async function whyNotYet(input: DispatchInput, choice: WorkerChoice): Promise<Hindrance | undefined> {
    const { recordingId, fleet, request, costCores, queuedSinceMs: sinceMs } = input;
    const chosen = await choice.choose(recordingId, costCores);
    const missing = 'missing' in chosen ? chosen.missing : undefined;
    const place = { workflowId: recordingWorkflowId(recordingId), fleet, priority: request.priority, sinceMs };
    const ahead = missing === undefined ? await countAhead(place) : 0;
    if (missing === undefined && ahead === 0) return undefined;
    choice.release(recordingId);
    const room = await roomNow(input);
    if (room && 'kind' in room) return room;
    return { ...noCapacity(missing ?? `${ahead} recordings wait before this one`), ...room };
  }

  /** Only within this does the worker find its record granted; a start that was not answered is refused from then on. */
  async function startOn(worker: AssignedWorker, egressId: string, { bytes, roomId }: Prepared): Promise<StartOutcome> {
    const reply = await deps.grants.during(egressId, () => workers.start(worker.topic, bytes));
    const outcome = classifyStart(reply, { egressId, worker, ...(roomId ? { roomId } : {}) });
    if (outcome.kind === 'unknown' || outcome.kind === 'declined') deps.grants.giveUp(egressId);
    return outcome;
  }

  async function prepare(input: DispatchInput, egressId: string): Promise<Prepared | StartOutcome> {
    const { request, wire, storages, attempt, keepsIdentity, recordingId, layout, keepFolder } = input;
    const message = decodeStart(fromBase64(wire));
    const room = roomOf(request.source);
    // LiveKit has looked itself before it asked for an egress.
    const isFresh = attempt === 0 && Date.now() - input.queuedSinceMs < FRESH_MS;
    if (!message.roomId || !isFresh) {
      const now = await roomNow(input);
      if (now && 'kind' in now) return now;
      if (now) message.roomId = now.roomId;
    }
    const token = keepsIdentity && room !== undefined ? await recorderToken(deps.livekitKeys, recordingId, room) : '';
    try {
      const named = withStorages(message, storages, deps.storages);
      const laidOut = layout === undefined ? named : withLayout(named, layout);
      const kept = keepFolder === undefined ? laidOut : withSegments(laidOut, keepFolder);
      const start = forAttempt(kept, { egressId, attempt, token });
      return { bytes: start.toBinary(), roomId: message.roomId };
    } catch (error) {
      return { kind: 'refused', errorCode: 400, message: messageOf(error) };
    }
  }

  /** A kick that fails changes nothing about the recording, and is sent again by whoever waits. */
  function wake(fleet: string, why: string): Promise<void> {
    return deps.kickFleet(fleet, why).catch((error: unknown) => {
      log.warn('the fleet could not be woken', { problem: messageOf(error) });
    });
  }

  async function roomAlive({ source }: RecordingRequest, roomId: string | undefined): Promise<boolean> {
    const room = roomOf(source);
    return room === undefined || isTheRoom(roomId, await livekit.roomSid(room));
  }

  /** @returns undefined for a source that has none */
  async function roomNow({ request, roomId }: DispatchInput): Promise<{ roomId: string } | RoomMissing | undefined> {
    const room = roomOf(request.source);
    if (room === undefined) return undefined;
    const sid = await livekit.roomSid(room);
    if (sid === undefined) return { kind: 'room_missing', message: `room "${room}" does not exist` };
    if (isTheRoom(roomId, sid)) return { roomId: sid };
    return { kind: 'room_missing', message: `room "${room}" was closed; another one has its name now` };
  }
}

type RoomMissing = Extract<StartOutcome, { kind: 'room_missing' }>;

interface Prepared {
  bytes: Uint8Array;
  roomId: string;
}

function noCapacity(message: string) {
  return { kind: 'no_capacity', message } as const;
}

/** As long as nothing has left, a failure leaves no doubt, and the attempt is made again under its own id. */
function notSent(error: unknown): Hindrance {
  return unseen('the start could not be prepared', error);
}

function notLooked(error: unknown): Hindrance {
  return unseen('could not look for a free worker', error);
}

function unseen(what: string, error: unknown): Hindrance {
  const needs = isDenied(error) ? ({ needs: 'operator' } as const) : {};
  return { ...noCapacity(`${what}: ${messageOf(error)}`), ...needs };
}

function fromBase64(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'base64'));
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
