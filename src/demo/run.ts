// The story of a demo, from an empty machine to the verdict. Order of steps only: how each is done is in the files beside this one.
import { messageOf } from '../common/error-message.ts';
import { formatDuration } from '../recording/duration.ts';
import type { RecordingRequestInput } from '../recording/request.ts';
import { type Backstage, type Closing, openBackstage, type Tell } from './backstage.ts';
import { type Actor, castOf, requestFor, type SourceKind, startWithin, type Timing, timingOf } from './cast.ts';
import type { Evidence } from './checks/evidence.ts';
import { judge } from './checks/expectations.ts';
import { lookIntoFiles } from './checks/gather.ts';
import { createClient, type DemoClient } from './client.ts';
import { allEnded, allRecordingOrBeyond, describeWorkers, fleetIsEmpty, liveWorkers } from './look.ts';
import type { Outcome } from './screen/report.ts';
import type { Screen } from './screen/screen.ts';
import { secondsText } from './screen/text-table.ts';
import { createWatch, type Watch } from './watch.ts';

export interface DemoOptions {
  rooms: number;
  source: SourceKind;
  maxDurationMs: number;
  stateDir: string;
}

export interface DemoParts {
  screen: Screen;
  tell: Tell;
  closing: Closing;
  signal: AbortSignal;
}

const fleet = {
  minWorkers: 0,
  cooldown: '5s',
  bootTimeout: '60s',
  busyInterval: '500ms',
  watchInterval: '3s',
  confirmAfter: '3s',
};
/** Room composite costs 4 cores, so that each worker takes one; the delay is long enough for booting to be seen. */
const capacity = { coresPerWorker: 4, bootDelay: '6s' };
/** Waiting for conditions ends here; a busy machine is slow, not broken. */
const startLimitMs = 90_000;
const stopLimitMs = 60_000;
const emptyLimitMs = 60_000;

export async function runDemo(options: DemoOptions, parts: DemoParts): Promise<Outcome> {
  const startedAt = performance.now();
  const { screen, closing, signal } = parts;
  const tell = (line: string) => {
    if (!signal.aborted) parts.tell(line && `${sinceStart(startedAt)}  ${line}`);
  };
  const cast = castOf(options.rooms);
  const timing = timingOf(options.maxDurationMs);

  const backstage = await openBackstage({
    cast,
    stack: { stateDir: options.stateDir },
    config: {
      fleet: { ...fleet, maxWorkers: options.rooms },
      capacity,
      // What comes through LiveKit says nothing of limits.
      rules: [{ startWithin, maxDuration: formatDuration(options.maxDurationMs) }],
      shutdownGrace: '4s',
    },
    tell,
    closing,
  });
  signal.throwIfAborted();
  const { stack } = backstage;
  const client = await createClient(stack);
  const workersBefore = liveWorkers(await client.fleet()).length;

  tell('');
  tell(`Temporal Web UI  ${stack.temporal.uiUrl}`);
  tell(`API docs         ${stack.api.url}/docs`);
  tell('');
  const bySdk = cast.filter(({ door }) => door === 'sdk').length;
  tell(`${cast.length} recordings requested at the same moment, with ${workersBefore} workers:`);
  tell(`${bySdk} through LiveKit with its unmodified SDK, ${cast.length - bySdk} at Reelkit's API`);
  const requests = await requestAll(cast, timing, options.source, backstage, client);
  const ids = requests.map(({ id }) => id);
  const watch = createWatch({ cast, timing, ids, client, screen, tell, casualty: backstage.casualty, signal });
  await waitForTheEnd(watch, timing);
  screen.draw([]);

  tell('Looking into every file');
  const evidence = await gather({ cast, timing, requests, backstage, client, watch, workersBefore });
  return { evidence, failures: judge(evidence), elapsedMs: performance.now() - startedAt };
}

function sinceStart(startedAt: number): string {
  return secondsText(performance.now() - startedAt).padStart(7);
}

interface Requested {
  id?: string;
  problem?: string;
}

function requestAll(
  cast: readonly Actor[],
  timing: Timing,
  source: SourceKind,
  { speakers, reelkit }: Backstage,
  client: DemoClient,
): Promise<Requested[]> {
  const bodies = cast.map((actor, i) => {
    const tracks = speakers[i] ?? { audioTrackId: '', videoTrackId: '' };
    return requestFor(actor, source, tracks, timing);
  });
  const request = (body: RecordingRequestInput, actor: Actor | undefined) =>
    actor?.door === 'sdk'
      ? client.requestBySdk(body, `${reelkit.recordingsDir}/${actor.room}.mp4`)
      : client.request(body);
  return Promise.all(
    bodies.map((body, i) =>
      request(body, cast[i]).then(
        ({ id }) => ({ id }),
        (error: unknown) => ({ problem: messageOf(error) }),
      ),
    ),
  );
}

/** Each step waits only when the one before it came; what is missing then is named by the expectations. */
async function waitForTheEnd(watch: Watch, { maxDurationMs, extendByMs }: Timing): Promise<void> {
  const started = await watch.until(allRecordingOrBeyond, startLimitMs);
  const ended = started && (await watch.until(allEnded, maxDurationMs + extendByMs + stopLimitMs));
  if (ended) await watch.until(fleetIsEmpty, emptyLimitMs);
}

interface Gathering {
  cast: readonly Actor[];
  timing: Timing;
  requests: readonly Requested[];
  backstage: Backstage;
  client: DemoClient;
  watch: Watch;
  workersBefore: number;
}

async function gather(from: Gathering): Promise<Evidence> {
  const { cast, timing, requests, backstage, client, watch, workersBefore } = from;
  const { stack, binaries, reelkit } = backstage;
  // Before the files are read: reading is slow, and what dies meanwhile is not the demo's concern.
  const casualty = backstage.casualty();
  const { recordings, fleet: fleetAtEnd } = watch.last;
  const [files, egressIds] = await Promise.all([
    lookIntoFiles(recordings, { ...binaries, recordingsFolder: reelkit.recordingsDir }),
    client.egressIds().catch(() => undefined),
  ]);
  const lastDecision = fleetAtEnd?.decisions[0]?.line;
  return {
    timing,
    recordings: cast.map((actor, i) => {
      const view = recordings[i];
      const requestProblem = requests[i]?.problem;
      return {
        actor,
        files: files[i] ?? [],
        ...(view ? { view } : {}),
        ...(requestProblem ? { requestProblem } : {}),
        ...watch.acted.get(actor.room),
      };
    }),
    fleet: {
      workersBefore,
      mostWorkers: watch.mostWorkers,
      workersAfter: fleetAtEnd && liveWorkers(fleetAtEnd).length,
      ...(lastDecision ? { lastDecision: `${lastDecision} (${describeWorkers(fleetAtEnd)})` } : {}),
    },
    egressIds,
    ...(casualty ? { casualty } : {}),
    logs: {
      service: reelkit.logFile,
      workers: `${stack.stateDir}/workers`,
      livekit: `${stack.logDir}/livekit.log`,
    },
  };
}
