// The place in the queue is shown to whoever waits for a worker, and to nobody else.
import { expect, it } from 'vitest';
import type { Recordings } from '../../../../src/api/recordings/recordings.ts';
import { withPlaces } from '../../../../src/api/recordings/with-places.ts';
import type { RecordingView } from '../../../../src/recording/view.ts';

const shown = (view: Partial<RecordingView>, placeOf = async () => ({ position: 3, expectedAtMs: 9 })) =>
  withPlaces({ show: async () => view as RecordingView } as unknown as Recordings, { placeOf }).show('EG_a');
const waits = { stage: 'waiting', fleet: 'default', waiting: { for: 'capacity', sinceMs: 1, detail: 'full' } } as const;

it('one that waits for a worker is told its place, as far as it is known', async () => {
  expect((await shown(waits)).waiting).toEqual({ ...waits.waiting, position: 3, expectedAtMs: 9 });
  expect(await shown(waits, () => Promise.reject(new Error('away')))).toEqual(waits);
  const forRoom = { ...waits, waiting: { ...waits.waiting, for: 'room' as const } };
  expect(await shown(forRoom)).toEqual(forRoom);
  expect(await shown({ stage: 'recording' })).toEqual({ stage: 'recording' });
});
