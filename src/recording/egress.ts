// An egress as Reelkit keeps it: LiveKit's EgressInfo cut to what decisions and results need, without secrets. Pure.

export const EGRESS_STATUSES = [
  'STARTING',
  'ACTIVE',
  'ENDING',
  'COMPLETE',
  'FAILED',
  'ABORTED',
  'LIMIT_REACHED',
] as const;
/** LiveKit's EgressStatus without its `EGRESS_` prefix; the order is the numeric value. */
export type EgressStatus = (typeof EGRESS_STATUSES)[number];

export interface EgressFile {
  filename: string;
  location: string;
  sizeBytes: number;
  durationMs: number;
}

export interface EgressSnapshot {
  egressId: string;
  status: EgressStatus;
  room?: string;
  /** A worker took it, unix ms. */
  acceptedAtMs?: number;
  /** Its file begins here, unix ms; absent until media flows. */
  startedAtMs?: number;
  updatedAtMs?: number;
  endedAtMs?: number;
  error?: string;
  /** HTTP-like, see the facts of LiveKit; 0 or absent: unknown. */
  errorCode?: number;
  /** For example "End reason: Source closed". */
  details?: string;
  files: EgressFile[];
}

/** What a worker reported: what decisions need, and its EgressInfo for LiveKit's record. */
export interface EgressReport extends EgressSnapshot {
  /** EgressInfo without its request, protobuf in base64, bounded; absent in what somebody signalled by hand. */
  info?: string;
  /** The worker began to finish it, as it reported before; unix ms by its clock. */
  endingAtMs?: number;
  /** LiveKit had its room no more when the end was reported. */
  roomGone?: true;
  /** The worker's own storage for what it cannot put elsewhere was used, for all outputs or for some of several. */
  backup?: 'all' | 'some';
  /** Where the worker put its own manifest. */
  manifestLocation?: string;
  /** The state of each of its streams: one that changes is news as well. */
  streams?: string;
}

export function isTerminal(status: EgressStatus): boolean {
  return EGRESS_STATUSES.indexOf(status) >= EGRESS_STATUSES.indexOf('COMPLETE');
}
