// Several subscriptions that make sense together only: all of them, in order, or none.
import type { Unsubscribe } from './transport.ts';

/** @returns the way back from each, in the same order */
export async function subscribeAll(subscriptions: readonly (() => Promise<Unsubscribe>)[]): Promise<Unsubscribe[]> {
  const made: Unsubscribe[] = [];
  try {
    for (const subscribe of subscriptions) made.push(await subscribe());
    return made;
  } catch (error) {
    await Promise.allSettled(made.map((unsubscribe) => unsubscribe()));
    throw error;
  }
}
