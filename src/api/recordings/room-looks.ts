// Rooms that came or went, looked up in Temporal's index for the recordings that wait for them: rooms of one moment share a query, so that
// a burst of webhooks is a few calls.
import { together } from '../../common/together.ts';
import type { Row } from '../../temporal/recording-index.ts';

/** Their names are in the query. */
const MAX_ROOMS = 50;

/**
 * @param find rows of any of these rooms
 * @param roomOf the room a row is in, as the index holds it
 * @returns the rows of one room, found after it was asked for
 */
export function createRoomLooks(
  find: (rooms: readonly string[]) => Promise<readonly Row[]>,
  roomOf: (row: Row) => string,
): (room: string) => Promise<Row[]> {
  return together<string, Row[]>(MAX_ROOMS, async (asked) => {
    const rows = await find([...new Set(asked.map(({ what }) => what))]);
    for (const { what, answer } of asked) answer(rows.filter((row) => roomOf(row) === what));
  });
}
