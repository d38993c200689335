// Who waits for a message with a certain id, and until when. Registered before the message can come, so that none is missed.

export interface Waiting<T> {
  /** @returns the message's value, or undefined when the time is over */
  next(id: string, limitMs: number): Promise<T | undefined>;
  settle(id: string, value: T | undefined): void;
}

export function createWaiting<T>(): Waiting<T> {
  const waiting = new Map<string, (value: T | undefined) => void>();
  return {
    next: (id, limitMs) =>
      new Promise((resolve) => {
        const done = (value: T | undefined) => {
          clearTimeout(timer);
          waiting.delete(id);
          resolve(value);
        };
        const timer = setTimeout(done, Math.max(0, limitMs), undefined);
        waiting.set(id, done);
      }),
    settle: (id, value) => waiting.get(id)?.(value),
  };
}
