// What an egress worker is on every platform: the variables that it is told things by, and how long it may need.

/** livekit/egress counts what this says, else the cgroup's quota, else every core of the machine. */
export const CPU_REQUEST = 'LIVEKIT_CPU_REQUEST';
/** Where the worker listens for starts, its `cluster_id`. Reelkit sets it; the worker's configuration refers to it. */
export const TOPIC = 'REELKIT_TOPIC';
/** Writing the end of a file and uploading it: `eosTimeout` of livekit/egress is 30 s, the rest is the upload. */
export const FINISH_MS = 5 * 60_000;
/** Until the platform says otherwise: a room composite fits, so that demand leads to a launch, and the launch says what is wrong. */
export const UNKNOWN_CORES = 4;
