// What one pass writes about the queue, another process reads.
import { expect, it } from 'vitest';
import { createQueueBoard } from '../../../src/livekit/queue-board.ts';

const keys = new Map<string, string>();
const bus = {
  setKey: async (key: string, value: string) => void keys.set(key, value),
  getKeys: async (names: readonly string[]) => names.map((name) => keys.get(name) ?? null),
};

it('a place is told with the time by which to expect a worker, where that is known, and only of the first thousand', async () => {
  const others = Array.from({ length: 2_000 }, (_, index) => ({ id: `EG_${index}`, position: index + 3 }));
  await createQueueBoard(bus).write('default', [
    { id: 'EG_a', position: 1, expectedAtMs: 5_000 },
    { id: 'EG_b', position: 2 },
    ...others,
  ]);
  const board = createQueueBoard(bus);
  expect(await board.placeOf('default', 'EG_a')).toEqual({ position: 1, expectedAtMs: 5_000 });
  expect(await board.placeOf('default', 'EG_b')).toEqual({ position: 2 });
  expect(await board.placeOf('default', 'EG_1999')).toBeUndefined();
  expect(await board.placeOf('gpu', 'EG_a')).toBeUndefined();
  expect((keys.get('reelkit:queue:default') ?? '').length).toBeLessThan(40_000);
});
