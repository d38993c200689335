// The recording's activities: thin calls to LiveKit, Temporal and the user's webhook. No decision is made here.
import { ApplicationFailure, Context, heartbeat, log } from '@temporalio/activity';
import type { Client } from '@temporalio/client';
import type { LiveKitClient } from '../livekit/client.ts';
import { buildStartRequest, type StartRequest, type StartSettings } from '../livekit/start-request.ts';
import { type EgressSnapshot, isTerminal, type Marker } from '../recording/egress.ts';
import type { RecordingRequest } from '../recording/request.ts';
import { roomOf } from '../recording/source.ts';
import { classifyStart, type StartOutcome } from '../recording/start-outcome.ts';
import { recordingWorkflowId } from '../workflows/messages.ts';
import type { Hindrance, RecordingActivities } from './contract.ts';
import type { FreeWorkers } from './free-workers.ts';
import type { FleetKicker } from './kick.ts';
import type { ProtectBusy } from './protect-busy.ts';
import { countAhead } from './queue.ts';

export interface RecordingDeps {
  livekit: LiveKitClient;
  temporal: Client;
  free: FreeWorkers;
  kickFleet: FleetKicker;
  protectBusy: ProtectBusy;
  settings: StartSettings;
  metrics: { startOutcome(kind: StartOutcome['kind']): void };
}

/** LiveKit retries inside its 18-27 s; a fast start needs 0.6 s. Longer than the race of a burst, shorter than a hung worker. */
const START_TIMEOUT_MS = 10_000;
const ADMITTED_START_TIMEOUT_MS = 20_000;
const FIND_EVERY_MS = 1_000;
const HEARTBEAT_EVERY_MS = 2_000;
const WEBHOOK_TIMEOUT_MS = 10_000;

export function createRecordingActivities(deps: RecordingDeps): RecordingActivities {
  const { livekit, settings } = deps;

  return {
    async requestCapacity({ recordingId, fleet, request, costCores, queuedSinceMs }) {
      const hindrance = await look().catch((error: unknown) =>
        noCapacity(`could not look for a free worker: ${messageOf(error)}`),
      );
      if (!hindrance) return null;
      // Not awaited: who still waits at its next try wakes the fleet again.
      if (hindrance.kind === 'no_capacity') void wake(fleet, 'a recording waits');
      deps.metrics.startOutcome(hindrance.kind);
      return hindrance;

      async function look(): Promise<Hindrance | undefined> {
        const workflowId = recordingWorkflowId(recordingId);
        // Workers first: in a burst most find none free, and Temporal limits how often it may be asked to count.
        const missing = await deps.free.take(recordingId, costCores);
        const place = { workflowId, fleet, priority: request.priority, sinceMs: queuedSinceMs };
        const ahead = missing === undefined ? await countAhead(deps.temporal, place) : 0;
        if (missing === undefined && ahead === 0) return undefined;
        deps.free.release(recordingId);
        if (!(await roomAlive(request)))
          return { kind: 'room_missing', message: `room "${roomOf(request.source)}" does not exist` };
        return noCapacity(missing ?? `${ahead} recordings wait before this one`);
      }
    },

    async startPart({ marker, fleet, request, costCores, admitted }) {
      // In parallel: the fleet must be awake while anything records, and the start must not wait for it.
      const awake = wake(fleet, 'a recording starts');
      const heartbeats = setInterval(heartbeat, HEARTBEAT_EVERY_MS);
      try {
        const outcome = await send();
        await awake;
        deps.metrics.startOutcome(outcome.kind);
        return outcome;
      } finally {
        clearInterval(heartbeats);
      }

      async function send(): Promise<StartOutcome> {
        let start: StartRequest;
        try {
          start = buildStartRequest(request, marker, Date.now(), settings);
        } catch (error) {
          return { kind: 'refused', message: messageOf(error) };
        }
        deps.free.sending(marker.recordingId, costCores);
        const outcome = classifyStart(
          await livekit.start(start, admitted ? ADMITTED_START_TIMEOUT_MS : START_TIMEOUT_MS),
        );
        if (outcome.kind === 'started') {
          deps.free.startedAs(marker.recordingId, outcome.egressId);
          deps.protectBusy(outcome.egressId);
        } else deps.free.release(marker.recordingId);
        return outcome;
      }
    },

    async findPart({ marker, request, untilMs }) {
      while (true) {
        const found = (await livekit.listEgresses(roomOf(request.source))).filter((egress) =>
          isSamePart(egress, marker),
        );
        const running = found.find((egress) => !isTerminal(egress.status));
        const ofThisAttempt = found.find((egress) => egress.marker?.attempt === marker.attempt);
        if (running ?? ofThisAttempt) return running ?? ofThisAttempt ?? null;
        // An ended egress of an earlier attempt says nothing of this one, which may still appear.
        if (Date.now() >= untilMs) return found[0] ?? null;
        await Context.current().sleep(FIND_EVERY_MS);
      }
    },

    async inspectPart({ marker, egressId, request }) {
      const room = roomOf(request.source);
      const [egress, identities, alive, onWorker] = await Promise.all([
        livekit.getEgress(egressId),
        room === undefined ? Promise.resolve<string[]>([]) : livekit.listIdentities(room),
        roomAlive(request),
        deps.free.showsEgress(egressId, room !== undefined),
        stopStrangers(marker, egressId, room),
      ]);
      return { egress, inRoom: identities.includes(egressId), room: alive ? 'alive' : 'gone', onWorker };
    },

    async stopPart({ egressId }) {
      await livekit.stopEgress(egressId);
    },

    async inspectRoom({ request }) {
      return { room: (await roomAlive(request)) ? 'alive' : 'gone' };
    },

    async wakeFleet({ fleet, why }) {
      await deps.kickFleet(fleet, why);
    },

    async notifyUser({ url, view }) {
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', 'User-Agent': 'reelkit' },
        body: JSON.stringify(view),
        signal: AbortSignal.timeout(WEBHOOK_TIMEOUT_MS),
      });
      if (response.ok) return;
      throw ApplicationFailure.create({ type: 'WebhookRejected', message: `the webhook answered ${response.status}` });
    },
  };

  /** A kick that fails changes nothing about the recording, and is sent again by whoever waits. */
  function wake(fleet: string, why: string): Promise<void> {
    return deps.kickFleet(fleet, why).catch((error: unknown) => {
      log.warn('the fleet could not be woken', { problem: messageOf(error) });
    });
  }

  async function roomAlive(request: RecordingRequest): Promise<boolean> {
    const room = roomOf(request.source);
    return room === undefined || livekit.roomExists(room);
  }

  /** A start that was given up and came to life after all: the same part must not be written twice. */
  async function stopStrangers(marker: Marker, egressId: string, room: string | undefined): Promise<void> {
    const active = await livekit.listActiveEgresses();
    const strangers = active.filter(
      (egress) => isSamePart(egress, marker) && egress.egressId !== egressId && egress.room === room,
    );
    await Promise.allSettled(strangers.map((egress) => livekit.stopEgress(egress.egressId)));
  }
}

function noCapacity(message: string): Hindrance {
  return { kind: 'no_capacity', sent: false, message };
}

function isSamePart(egress: EgressSnapshot, marker: Marker): boolean {
  return egress.marker?.recordingId === marker.recordingId && egress.marker.part === marker.part;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
