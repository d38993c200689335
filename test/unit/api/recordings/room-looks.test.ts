// Rooms of one moment share a query to Temporal's index.
import { expect, it } from 'vitest';
import { createRoomLooks } from '../../../../src/api/recordings/room-looks.ts';
import type { Row } from '../../../../src/temporal/recording-index.ts';

interface Waiting {
  id: string;
  room: string;
}

function index(waiting: readonly Waiting[], failing: readonly string[] = []) {
  const queries: (readonly string[])[] = [];
  const rows = waiting.map((one) => one as unknown as Row);
  const look = createRoomLooks(
    async (rooms) => {
      queries.push(rooms);
      await new Promise((resolve) => setImmediate(resolve));
      if (rooms.some((room) => failing.includes(room))) throw new Error('Temporal is away');
      return rows.filter((row) => rooms.includes((row as unknown as Waiting).room));
    },
    (row) => (row as unknown as Waiting).room,
  );
  const ids = async (room: string) => (await look(room)).map((row) => (row as unknown as Waiting).id);
  return { queries, ids };
}

it('asks at once for the first, and together for those that come meanwhile, each with its own rows', async () => {
  const { queries, ids } = index([
    { id: 'EG_1', room: 'a' },
    { id: 'EG_2', room: 'b' },
    { id: 'EG_3', room: 'b' },
  ]);
  expect(await Promise.all(['a', 'b', 'c', 'b'].map(ids))).toEqual([['EG_1'], ['EG_2', 'EG_3'], [], ['EG_2', 'EG_3']]);
  expect(queries).toEqual([['a'], ['b', 'c']]);
  expect(await ids('a')).toEqual(['EG_1']);
});

it('asks for no more than fifty rooms in one query', async () => {
  const { queries, ids } = index([]);
  await Promise.all(Array.from({ length: 111 }, (_, room) => ids(`${room}`)));
  expect(queries.map((rooms) => rooms.length)).toEqual([1, 50, 50, 10]);
});

it('tells a failure to those who shared the query, and asks on for the others', async () => {
  const { ids } = index([{ id: 'EG_1', room: 'c' }], ['b']);
  const answers = await Promise.allSettled([ids('a'), ids('b'), ids('x')]);
  expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected']);
  expect(await ids('c')).toEqual(['EG_1']);
});
