// Rooms that came or went, looked up in Temporal's index for the recordings that wait for them: rooms of one moment share a query, so that
// a burst of webhooks is a few calls.
import type { Row } from '../../temporal/recording-index.ts';

interface Asker {
  /** As the index holds it. */
  room: string;
  answer(rows: Row[]): void;
  fail(error: unknown): void;
}

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
  const waiting: Asker[] = [];
  let isAsking = false;

  /** Whoever comes while a query is on its way is in the next one. */
  async function serve(): Promise<void> {
    while (waiting.length > 0) {
      const together = waiting.splice(0, MAX_ROOMS);
      try {
        const rows = await find([...new Set(together.map(({ room }) => room))]);
        for (const { room, answer } of together) answer(rows.filter((row) => roomOf(row) === room));
      } catch (error) {
        for (const { fail } of together) fail(error);
      }
    }
    isAsking = false;
  }

  return (room) =>
    new Promise((answer, fail) => {
      waiting.push({ room, answer, fail });
      if (isAsking) return;
      isAsking = true;
      void serve();
    });
}
