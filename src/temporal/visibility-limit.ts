// How often one process asks Temporal's visibility: a bucket of calls that refills with time. Some come first, and nobody waits for
// longer than its own deadline.

/** What has room at once after a quiet while. */
const BURST_SECONDS = 2;
/** gRPC ends a call at its deadline by itself, and one that ends before it began is never heard of. */
const MARGIN_MS = 10;
/** So many wait for longer than any deadline. */
const MAX_WAITING = 1_000;

interface Caller {
  /** Unix ms. */
  untilMs: number;
  comesFirst: boolean;
  go(): void;
  /** Its turn cannot come in time. */
  tooLate(): void;
}

/** @returns whether it still waited: then it is called no more */
export type Leave = () => boolean;

export interface VisibilityLimit {
  enter(caller: Caller): Leave;
}

export function createVisibilityLimit(perSecond: number, now: () => number = Date.now): VisibilityLimit {
  const burst = Math.max(1, perSecond * BURST_SECONDS);
  let room = burst;
  let filledAtMs = now();
  let waiting: Caller[] = [];
  let timer: NodeJS.Timeout | undefined;

  function fill(nowMs: number): void {
    room = Math.min(burst, room + (Math.max(0, nowMs - filledAtMs) * perSecond) / 1_000);
    filledAtMs = nowMs;
  }

  function nextOne(): Caller[] {
    const first = waiting.findIndex(({ comesFirst }) => comesFirst);
    return waiting.splice(Math.max(0, first), 1);
  }

  function serve(): void {
    clearTimeout(timer);
    const nowMs = now();
    const isLate = ({ untilMs }: Caller) => untilMs - MARGIN_MS <= nowMs;
    const late = waiting.filter(isLate);
    waiting = waiting.filter((one) => !isLate(one));
    fill(nowMs);
    const served: Caller[] = [];
    while (room >= 1 && waiting.length > 0) {
      room -= 1;
      served.push(...nextOne());
    }
    if (waiting.length > 0) timer = setTimeout(serve, untilNext());
    for (const one of served) one.go();
    for (const one of late) one.tooLate();
  }

  /** Until there is room, or one of them is late. */
  function untilNext(): number {
    const firstLateMs = Math.min(...waiting.map(({ untilMs }) => untilMs)) - MARGIN_MS - now();
    return Math.max(1, Math.ceil(Math.min(((1 - room) * 1_000) / perSecond, firstLateMs)));
  }

  return {
    enter(caller) {
      if (waiting.length >= MAX_WAITING) {
        caller.tooLate();
        return () => false;
      }
      waiting.push(caller);
      serve();
      return () => {
        const waited = waiting.includes(caller);
        waiting = waiting.filter((one) => one !== caller);
        return waited;
      };
    },
  };
}
