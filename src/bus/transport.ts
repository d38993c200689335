// What the bus needs of a broker: psrpc's publish and subscribe, its lock, and a few plain keys that all Reelkit processes share.
// Messages may be lost whenever the broker is away; nothing here repeats one. Every call ends within seconds or throws.

export type BusListener = (message: Uint8Array, channel: string) => void;

/** @returns when the broker no longer sends. May be called again. */
export type Unsubscribe = () => Promise<void>;

export interface BusTransport {
  /** Throws at once while the broker is away; a message that could not be sent is never sent later. */
  publish(channel: string, message: Uint8Array): Promise<void>;
  /** Resolves when the broker has confirmed, throws when it does not within seconds. Survives reconnects. */
  subscribe(channel: string, listener: BusListener): Promise<Unsubscribe>;
  psubscribe(pattern: string, listener: BusListener): Promise<Unsubscribe>;
  /** SET key NX PX: true for the one who got it. */
  lock(key: string, holdMs: number): Promise<boolean>;
  /** PUBSUB CHANNELS, of every node of a cluster. Throws rather than give a part of the answer. */
  channels(pattern: string): Promise<string[]>;
  /** PUBSUB NUMSUB, summed over the nodes of a cluster. */
  subscribers(channel: string): Promise<number>;
  setKey(key: string, value: string, ttlMs: number): Promise<void>;
  getKeys(keys: readonly string[]): Promise<(string | null)[]>;
  deleteKey(key: string): Promise<void>;
  health(): BusHealth;
  close(): Promise<void>;
}

export interface BusHealth {
  /** Connected, and every subscription confirmed. */
  ok: boolean;
  problem?: string;
  /** How often subscriptions had to be made anew: each time, messages may have been lost. */
  reconnects: number;
}
