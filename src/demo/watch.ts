// Looks at the recordings and the fleet again and again, shows what changed, does what each role asks for when it is time.
// Waits for conditions with a limit; what a condition that never came means is judged later, from the evidence.
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../common/error-message.ts';
import { formatDuration } from '../recording/duration.ts';
import { isEnded } from '../recording/stage.ts';
import type { RecordingView } from '../recording/view.ts';
import type { Actor, Timing } from './cast.ts';
import type { DemoClient } from './client.ts';
import { type Action, dueAction, type Look, liveWorkers } from './look.ts';
import { liveTable } from './screen/live-table.ts';
import { changedRecordings, changedWorkers, named, newDecisions, newProblems } from './screen/progress.ts';
import type { Screen } from './screen/screen.ts';

export interface WatchParts {
  cast: readonly Actor[];
  timing: Timing;
  /** Ids of the accepted recordings, in the order of the cast. */
  ids: readonly (string | undefined)[];
  client: DemoClient;
  screen: Screen;
  tell: (line: string) => void;
  casualty: () => string | undefined;
  signal: AbortSignal;
}

export interface Acted {
  actedAtMs?: number;
  actionProblem?: string;
}

export interface Watch {
  /** Looks until it holds. False when the limit passed or a component died first. */
  until(holds: (look: Look) => boolean, limitMs: number): Promise<boolean>;
  readonly last: Look;
  readonly mostWorkers: number;
  /** By room: when its action was done, or why it did not work. */
  readonly acted: ReadonlyMap<string, Acted>;
}

const lookEveryMs = 400;
/** Lines the live table needs beside its rows. */
const liveFrameRows = 8;

export function createWatch(parts: WatchParts): Watch {
  const { cast, ids, client, screen, tell } = parts;
  const done = new Set<string>();
  const acted = new Map<string, Acted>();
  const acting: Promise<void>[] = [];
  let last: Look = { atMs: Date.now(), recordings: ids.map(() => undefined), fleet: undefined };
  let shown: Look | undefined;
  let mostWorkers = 0;

  const show = (look: Look) => {
    for (const line of [...newProblems(shown, look), ...newDecisions(shown, look, cast)]) tell(line);
    if (!screen.live) {
      for (const line of [...changedRecordings(shown, look, cast), ...changedWorkers(shown, look)]) tell(line);
    }
    screen.draw(liveTable({ cast, look, columns: screen.columns, maxRows: screen.rows - liveFrameRows }));
    shown = look;
  };

  const actWhereDue = (look: Look) => {
    cast.forEach((actor, i) => {
      const view = look.recordings[i];
      const action = dueAction(actor, parts.timing, view, look.atMs);
      if (!action || !view || done.has(actor.room)) return;
      done.add(actor.room);
      acting.push(
        act(action, actor, view, parts).then(
          () => void acted.set(actor.room, { actedAtMs: Date.now() }),
          (error: unknown) => {
            acted.set(actor.room, { actionProblem: messageOf(error) });
            tell(named(actor.room, `! ${messageOf(error)}`));
          },
        ),
      );
    });
  };

  return {
    get last() {
      return last;
    },
    get mostWorkers() {
      return mostWorkers;
    },
    acted,
    async until(holds, limitMs) {
      const deadline = performance.now() + limitMs;
      for (;;) {
        parts.signal.throwIfAborted();
        last = await lookAround(last, ids, client);
        mostWorkers = Math.max(mostWorkers, liveWorkers(last.fleet).length);
        show(last);
        actWhereDue(last);
        if (holds(last)) break;
        const casualty = parts.casualty();
        if (casualty) tell(named('!', casualty));
        if (casualty || performance.now() > deadline) return false;
        await sleep(lookEveryMs, undefined, { signal: parts.signal });
      }
      await Promise.all(acting);
      return true;
    },
  };
}

/** What cannot be seen at the moment stays as it was seen last; an ended recording is looked at no more. */
async function lookAround(before: Look, ids: WatchParts['ids'], client: DemoClient): Promise<Look> {
  const [fleet, ...recordings] = await Promise.all([
    client.fleet().catch(() => undefined),
    ...ids.map(async (id, i) => {
      const seen = before.recordings[i];
      if (id === undefined || (seen && isEnded(seen.stage))) return seen;
      return client.show(id).catch(() => seen);
    }),
  ]);
  return { atMs: Date.now(), recordings, fleet: fleet ?? before.fleet };
}

async function act(action: Action, { room }: Actor, view: RecordingView, parts: WatchParts): Promise<void> {
  const { client, tell, timing } = parts;
  switch (action) {
    case 'extended': {
      const by = formatDuration(timing.extendByMs);
      tell(named(room, `> extended by ${by}`));
      await client.extend(view.id, by);
      return;
    }
    case 'cancelled':
      tell(named(room, '> cancelled'));
      await client.cancel(view.id);
      return;
    case 'room_closes':
      tell(named(room, '> its room is closed in LiveKit'));
      await client.closeRoom(room);
  }
}
