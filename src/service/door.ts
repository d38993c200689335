// Where a process meets LiveKit and the workers on their buses: it takes requests from the one and reports from the others, until it
// leaves. Composition only.
import type { Client } from '@temporalio/client';
import type { Recordings } from '../api/recordings/recordings.ts';
import type { Served } from '../bus/server.ts';
import type { Config } from '../config/schema.ts';
import type { LiveKitClient } from '../livekit/client.ts';
import type { Departures } from '../livekit/departures.ts';
import { createEndings } from '../livekit/endings.ts';
import { endGhost } from '../livekit/ghosts.ts';
import type { Grants } from '../livekit/grants.ts';
import { serveIntake } from '../livekit/intake.ts';
import { hearLayouts } from '../livekit/layouts.ts';
import type { Presence } from '../livekit/presence.ts';
import { createLiveKitRecords } from '../livekit/records.ts';
import { serveReports } from '../livekit/reports.ts';
import type { Log } from '../telemetry/log.ts';
import { watchTemporal } from '../temporal/health.ts';
import type { Buses } from './buses.ts';
import { createIntakeRecordings } from './intake-recordings.ts';

export interface DoorParts {
  buses: Buses;
  config: Config;
  client: Client;
  livekit: Pick<LiveKitClient, 'recordOf' | 'roomSid'>;
  recordings: Recordings;
  grants: Grants;
  departures: Pick<Departures, 'told'>;
  presence: Pick<Presence, 'ended'>;
  /** Whether this process takes requests from LiveKit. */
  takesRequests: boolean;
  log: Log;
}

export interface Door {
  /** Claims nothing from now on; resolves when what was claimed is answered. */
  stopTaking(): Promise<void>;
  /** Workers are heard until here. */
  close(): Promise<void>;
}

export async function openDoor(parts: DoorParts): Promise<Door> {
  const { buses, client, recordings, grants, departures, presence, log } = parts;
  const { recordOf, roomSid } = parts.livekit;
  const report: Recordings['report'] = (id, what) => recordings.report(id, what);
  const records = createLiveKitRecords(buses.livekit.client);
  const reports = await serveReports(buses.workers.server, {
    grants,
    report,
    endings: createEndings(buses.workers.transport),
    roomSid,
    ended({ egressId, status, errorCode, startedAtMs }) {
      departures.told(egressId);
      // A mark that cannot be set is set by the next one.
      presence.ended(egressId, { status, errorCode, hasRecorded: startedAtMs !== undefined }).catch(() => undefined);
    },
    endGhost: (id, info) => endGhost({ recordOf, records }, id, info),
    log,
  });
  const forgetLayouts = await hearLayouts({
    bus: buses.livekit.transport,
    note: (id, layout) => recordings.noteLayout(id, layout),
    log,
  });
  const health = watchTemporal(client);
  const intake = parts.takesRequests ? await openIntake(parts, () => health.ok) : undefined;
  return {
    async stopTaking() {
      await intake?.stop();
    },
    async close() {
      health.stop();
      await Promise.all([reports.stop(), forgetLayouts()]);
    },
  };
}

function openIntake({ buses, config, client, recordings, log }: DoorParts, isReady: () => boolean): Promise<Served> {
  return serveIntake(buses.livekit.server, {
    recordings: createIntakeRecordings(client, recordings, {
      fleets: config.fleets,
      rules: config.rules,
      receivers: config.webhooks.receivers,
    }),
    records: createLiveKitRecords(buses.livekit.client),
    isReady,
    now: Date.now,
    log,
  });
}
