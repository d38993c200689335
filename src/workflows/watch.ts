// How a recording watches its present part, as it is carried into the next run of the workflow.

/** Who asked for the end: LiveKit's StopEgress is how an application finishes a recording, a cancel calls it off, `stopWhen` is a wish. */
export type StopAsked = 'stopped' | 'cancelled' | 'participants_left';

/** `paused`: of the part alone. */
export type Stopping = StopAsked | 'max_duration' | 'paused';

/** How long looks have been in doubt whether the egress lives. */
export interface Doubt {
  sinceMs?: number;
  looks: number;
  /** Looks in a row that had no answer. */
  unanswered: number;
}

/** How a part is watched. It is carried into the next run of the workflow. */
export interface Watch {
  doubt: Doubt;
  stopped?: { why: Stopping; sinceMs: number; looks: number };
  /** It does not record, and looks find since then that somebody publishes. */
  publishedSinceMs?: number;
  /** Unix ms; absent: only news makes us look. */
  lookAtMs?: number | undefined;
}
