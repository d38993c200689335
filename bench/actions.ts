// Temporal actions of a one-hour recording, counted from its history by the billing rules. The histories are those that CI
// replays against the workflow code, an hour of virtual time each.
import { readFile } from 'node:fs/promises';
import { countActions } from '../test/support/actions.ts';
import type { Row } from './rows.ts';

const HISTORIES = { 'the room ended': 'completed', 'stopped at maxDuration': 'max-duration' } as const;
/** The signal that wakes a fleet at rest; one that records already looks by itself. It is in the fleet's history. */
const WAKING = 1;
const TARGET = 9;
const HOUR_SECONDS = 3_600;
const POLL_SECONDS = 10;

export async function benchActions(): Promise<Row[]> {
  const counts = await Promise.all(
    Object.entries(HISTORIES).map(async ([how, name]) => ({ how, ...(await count(name)) })),
  );
  const most = Math.max(...counts.map(({ total }) => total));
  // A poll is an activity and the timer before the next one.
  const polling = 2 * (HOUR_SECONDS / POLL_SECONDS);
  return [
    {
      id: 'actions_per_recording',
      value: most,
      unit: 'actions',
      against: `polling every ${POLL_SECONDS} s: ${polling} actions for the polls alone`,
      target: `<= ${TARGET}`,
      holds: most <= TARGET,
      how: `one more recording of an hour, from its history: ${counts.map(({ how, total }) => `${how} ${total}`).join(', ')}; the first of a fleet at rest wakes it, ${WAKING} more; LiveKit is told of one that Reelkit's own API began, 1 more`,
    },
  ];
}

async function count(name: string): Promise<{ total: number }> {
  const file = new URL(`../test/histories/${name}.json`, import.meta.url);
  return countActions(JSON.parse(await readFile(file, 'utf8')));
}
