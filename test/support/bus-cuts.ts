// Cuts in a conversation on the bus: every start, one by one, is followed through the messages of psrpc that it is made of, and at one
// of them the message is lost, or kept while something is done to who sent it.
import { EgressInfo } from '@livekit/protocol';
import { decodeClaim, decodeGrant, decodeReply, decodeRequest } from '../../src/bus/wire.ts';
import { decodeStart } from '../../src/livekit/request/index.ts';
import { parseAttemptEgressId } from '../../src/recording/attempt.ts';
import type { BusMessage, BusProxy, Fate } from './bus-proxy.ts';
import { waitFor } from './stack-wait.ts';

export interface CutPoint {
  way: BusMessage['way'];
  method: 'StartEgress' | 'CreateEgress';
  kind: 'REQ' | 'CLAIM' | 'RCLAIM' | 'RES';
}

export interface Kept {
  /** Until a message of so many recordings is kept. */
  until(count: number): Promise<string[]>;
  /** What is kept, and what comes to this point from now on. */
  release(fate: Fate): void;
}

export interface BusCuts {
  /** Of each recording the first message at this point is lost, whatever its attempt. */
  lose(point: CutPoint): void;
  keep(point: CutPoint): Kept;
  heal(): void;
  /** Recordings of which a message was lost or kept at the present point. */
  cut(): string[];
}

export function createBusCuts(proxy: BusProxy): BusCuts {
  const requests = new Map<string, { method: CutPoint['method']; recordingId: string }>();
  let cut = new Set<string>();

  /** At which point of which recording's start it is. */
  function placeOf({ way, channel, payload }: BusMessage): (CutPoint & { recordingId: string }) | undefined {
    const [, second] = channel.split('|');
    const kind = channel.split('|').at(-1) as CutPoint['kind'];
    if (kind === 'REQ') {
      if (second !== 'StartEgress' && second !== 'CreateEgress') return undefined;
      const { requestId, request = new Uint8Array() } = decodeRequest(payload) ?? {};
      const { egressId } = second === 'StartEgress' ? decodeStart(request) : EgressInfo.fromBinary(request);
      const { recordingId } = parseAttemptEgressId(egressId) ?? {};
      if (requestId === undefined || recordingId === undefined) return undefined;
      requests.set(requestId, { method: second, recordingId });
      return { way, kind, method: second, recordingId };
    }
    const read = { CLAIM: decodeClaim, RCLAIM: decodeGrant, RES: decodeReply }[kind];
    const known = requests.get(read?.(payload)?.requestId ?? '');
    return known && { way, kind, ...known };
  }

  function onEachAt(point: CutPoint, act: (recordingId: string) => Fate | Promise<Fate>): void {
    cut = new Set();
    proxy.judge = (message) => {
      const place = placeOf(message);
      if (place?.way !== point.way || place.method !== point.method || place.kind !== point.kind) return 'passes';
      return act(place.recordingId);
    };
  }

  const heal = () => {
    proxy.judge = (message) => {
      placeOf(message);
      return 'passes';
    };
  };
  heal();
  return {
    lose: (point) =>
      onEachAt(point, (recordingId) => {
        if (cut.has(recordingId)) return 'passes';
        cut.add(recordingId);
        return 'lost';
      }),
    keep(point) {
      let release: (fate: Fate) => void = () => undefined;
      const released = new Promise<Fate>((resolve) => {
        release = resolve;
      });
      onEachAt(point, (recordingId) => {
        cut.add(recordingId);
        return released;
      });
      const kept = cut;
      return {
        release,
        until: async (count) => {
          const what = `${count} starts at ${point.way} ${point.method} ${point.kind}`;
          return waitFor(
            what,
            async () => [...kept],
            ({ length }) => length >= count,
            60_000,
          );
        },
      };
    },
    heal,
    cut: () => [...cut],
  };
}
