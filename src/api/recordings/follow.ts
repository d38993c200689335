// What happens to a recording, told to all who follow it by one reader: it looks once a second with a call that costs nothing on
// Temporal Cloud, asks the workflow only when something changed, and looks no more when nobody follows.
import { setTimeout as sleep } from 'node:timers/promises';
import { isEnded } from '../../recording/stage.ts';
import type { RecordingState, Recordings } from './recordings.ts';

const LOOK_EVERY_MS = 1_000;

export interface RecordingChange {
  revision: number;
  /** The whole view, as JSON. */
  data: string;
  /** Nothing follows. */
  ended: boolean;
}

export interface FollowRecordings {
  /** As it was a moment ago when somebody follows it, else as it is. @returns undefined when there is no such recording */
  peek(id: string): Promise<RecordingState | undefined>;
  /** The present state at once, then each change. @returns what ends it */
  follow(id: string, first: RecordingState, tell: (change: RecordingChange) => void): () => void;
}

interface Reader {
  state: RecordingState;
  latest?: RecordingChange;
  followers: Set<(change: RecordingChange) => void>;
  stopped: AbortController;
}

export function createFollowRecordings(recordings: Recordings, lookEveryMs = LOOK_EVERY_MS): FollowRecordings {
  const readers = new Map<string, Reader>();
  const asked = new Map<string, Promise<RecordingState | undefined>>();

  async function read(id: string, reader: Reader): Promise<void> {
    const { signal } = reader.stopped;
    let readRevision = -1;
    while (!signal.aborted) {
      if (reader.state.revision !== readRevision) {
        const change = await changeOf(recordings, id, reader.state);
        if (change) readRevision = change.revision;
        if (change && change.data !== reader.latest?.data) {
          reader.latest = change;
          for (const tell of [...reader.followers]) tell(change);
        }
        if (change?.ended) {
          readers.delete(id);
          return;
        }
      }
      await sleep(lookEveryMs, undefined, { signal }).catch(() => undefined);
      // Temporal away for a moment: who follows stays, and catches up.
      if (!signal.aborted) reader.state = (await recordings.peek(id).catch(() => undefined)) ?? reader.state;
    }
  }

  return {
    async peek(id) {
      const reader = readers.get(id);
      if (reader) return reader.state;
      const answer = asked.get(id) ?? recordings.peek(id).finally(() => asked.delete(id));
      asked.set(id, answer);
      return answer;
    },
    follow(id, first, tell) {
      let reader = readers.get(id);
      if (!reader) {
        reader = { state: first, followers: new Set(), stopped: new AbortController() };
        readers.set(id, reader);
        void read(id, reader);
      } else if (reader.latest) tell(reader.latest);
      const { followers, stopped } = reader;
      followers.add(tell);
      return () => {
        followers.delete(tell);
        if (followers.size > 0) return;
        stopped.abort();
        if (readers.get(id)?.followers === followers) readers.delete(id);
      };
    },
  };
}

/** Undefined when the workflow does not answer now. */
async function changeOf(
  recordings: Recordings,
  id: string,
  state: RecordingState,
): Promise<RecordingChange | undefined> {
  const view = await recordings.show(id).catch(() => undefined);
  if (!view) return undefined;
  return { revision: state.revision, data: JSON.stringify(view), ended: isEnded(view.stage) || !state.open };
}
