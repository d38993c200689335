// What the processes that stand in for each other still work on, said by each of them while a request takes long: one that is slow
// under load is not taken for dead, or every request would be handled by all of them, which are slower still then.
import type { BusListener, BusTransport } from './transport.ts';

export interface AtWork {
  /** Says so until the work has ended. A sign that cannot be sent is not sent. */
  during<T>(requestId: string, work: () => Promise<T>): Promise<T>;
  onSign: BusListener;
  /** When a peer last said that it works on it, by `performance.now()`. */
  heardMs(requestId: string): number | undefined;
  forget(requestId: string): void;
}

export interface AtWorkOptions {
  channel: string;
  everyMs: number;
  /** Signs of other requests are not kept. */
  isWaitedFor: (requestId: string) => boolean;
}

/** Ids hold no white space. */
const SEPARATOR = ' ';
const MAX_SIGN_BYTES = 256 * 1_024;

export function createAtWork(
  bus: Pick<BusTransport, 'publish'>,
  { channel, everyMs, isWaitedFor }: AtWorkOptions,
): AtWork {
  const own = new Set<string>();
  const heard = new Map<string, number>();
  let timer: NodeJS.Timeout | undefined;

  function say(): void {
    // Without the broker nobody hears it, and nobody is granted anything.
    void bus.publish(channel, Buffer.from([...own].join(SEPARATOR))).catch(() => undefined);
  }

  function begin(requestId: string): void {
    own.add(requestId);
    timer ??= setInterval(say, everyMs);
  }

  function end(requestId: string): void {
    own.delete(requestId);
    if (own.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  }

  return {
    async during(requestId, work) {
      begin(requestId);
      try {
        return await work();
      } finally {
        end(requestId);
      }
    },
    onSign(message) {
      if (message.length > MAX_SIGN_BYTES) return;
      for (const requestId of Buffer.from(message).toString().split(SEPARATOR)) {
        if (isWaitedFor(requestId)) heard.set(requestId, performance.now());
      }
    },
    heardMs: (requestId) => heard.get(requestId),
    forget: (requestId) => void heard.delete(requestId),
  };
}
