// What the bus needs of a Redis: publish, subscribe, a lock, and who listens. Knows nothing of psrpc and of recordings.

export interface BusTransport {
  publish(channel: string, message: Uint8Array): Promise<void>;
  /** Survives reconnects. @returns unsubscribe */
  subscribe(channel: string, listener: (message: Uint8Array, channel: string) => void): Promise<() => Promise<void>>;
  psubscribe(pattern: string, listener: (message: Uint8Array, channel: string) => void): Promise<() => Promise<void>>;
  /** SET key NX PX: true for the one who got it. */
  lock(key: string, holdMs: number): Promise<boolean>;
  /** PUBSUB CHANNELS pattern, of every node of a cluster. */
  channels(pattern: string): Promise<string[]>;
  /** PUBSUB NUMSUB, summed over the nodes of a cluster. */
  subscribers(channel: string): Promise<number>;
  /** Plain keys, for marks that all Reelkit processes share (cordons): SET with PX. */
  setKey(key: string, value: string, ttlMs: number): Promise<void>;
  getKeys(keys: string[]): Promise<(string | null)[]>;
  deleteKey(key: string): Promise<void>;
  health(): { ok: boolean; problem?: string; reconnects: number };
  close(): Promise<void>;
}
