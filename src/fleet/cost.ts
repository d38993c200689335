// What LiveKit's admission charges a request, in CPU cores. Pure.
import type { RecordingSource } from '../recording/request.ts';

/** Defaults of livekit/egress 1.14 `cpu_cost`; override them when the worker's configuration does. */
export const DEFAULT_COSTS = {
  roomComposite: 4,
  audioRoomComposite: 1,
  web: 4,
  audioWeb: 1,
  participant: 2,
  trackComposite: 1,
  track: 0.5,
} as const;

export type CostTable = { -readonly [K in keyof typeof DEFAULT_COSTS]: number };

/** `max_cpu_utilization` of livekit/egress: the share of its CPUs that a busy worker fills. */
export const MAX_CPU_UTILIZATION = 0.8;

/** Admission looks at the kind of a request alone: LiveKit charges a composite of one track as one of two. */
export function costOf(source: RecordingSource, costs: CostTable = DEFAULT_COSTS): number {
  switch (source.type) {
    case 'room':
      return source.audioOnly ? costs.audioRoomComposite : costs.roomComposite;
    case 'web':
      return source.audioOnly ? costs.audioWeb : costs.web;
    case 'participant':
      return costs.participant;
    case 'tracks':
      return costs.trackComposite;
    case 'track':
      return costs.track;
    case 'media':
      return costs.participant;
  }
}
