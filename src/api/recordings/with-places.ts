// Recordings that wait for a worker, with their place in the queue as the last pass of their fleet saw it.
import type { QueueBoard } from '../../livekit/queue-board.ts';
import type { Recordings } from './recordings.ts';

export function withPlaces(recordings: Recordings, board: Pick<QueueBoard, 'placeOf'>): Recordings {
  return {
    ...recordings,
    async show(id) {
      const view = await recordings.show(id);
      if (view.stage !== 'waiting' || view.waiting?.for !== 'capacity') return view;
      // Nobody's place is known while the workers' Redis is away.
      const place = await board.placeOf(view.fleet, id).catch(() => undefined);
      return place ? { ...view, waiting: { ...view.waiting, ...place } } : view;
    },
  };
}
