// Whoever reaches Redis may send anything to a channel of Reelkit's.
import { describe, expect, it } from 'vitest';
import { claimChannel, grantChannel, replyChannel, requestChannel } from '../../../src/bus/topics.ts';
import { encodeClaim, encodeGrant, encodeReply, encodeRequest } from '../../../src/bus/wire.ts';
import { BYTES, METHOD, makeBed, settle } from './bed.ts';

const ROUNDS = 25_000;

/** Deterministic: a failure comes again (mulberry32). */
function randomOf(seed: number) {
  let state = seed;
  return (below: number) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

describe('100,000 damaged messages', () => {
  it('are passed over: nothing is handled or answered, and the next call is served', async () => {
    const { bus, broker, server, client, call, serving } = makeBed();
    let handled = 0;
    await server().serve(
      serving({
        // As every handler does: it reads the request first, and claims what it can read.
        affinity: (request) => (Buffer.from(request).equals(BYTES) ? 1 : undefined),
        handle: async (request) => {
          handled += 1;
          return request;
        },
        takeOverAfterMs: 1,
      }),
    );
    const caller = await client({ clientId: 'CLI_1', services: [METHOD.service] });
    const random = randomOf(8);
    const now = Date.now();
    const ids = { requestId: 'REQ_1', clientId: 'CLI_2', serverId: 'SRV_1' };
    const request = {
      ...ids,
      sentAtMs: now,
      expiryMs: now + 60_000,
      multi: false,
      metadata: { a: 'b' },
      request: BYTES,
    };
    const kinds: [string, Uint8Array][] = [
      [requestChannel(METHOD), encodeRequest(request)],
      [grantChannel(METHOD), encodeGrant(ids)],
      [claimChannel(METHOD.service, 'CLI_1'), encodeClaim({ ...ids, affinity: 1, handling: false })],
      [replyChannel(METHOD.service, 'CLI_1'), encodeReply({ ...ids, sentAtMs: now, response: BYTES })],
    ];
    for (let round = 0; round < ROUNDS; round++) {
      for (const [channel, message] of kinds) await bus.publish(channel, damage(message, random));
      if (round % 100 === 0) await settle(1);
    }
    await settle();
    const sent = broker.published.length;
    expect(sent - 4 * ROUNDS, 'claims of requests whose damage left them whole').toBeLessThan(ROUNDS);
    expect(handled).toBe(0);
    expect(await caller.call(call())).toMatchObject({ ok: true, response: BYTES });
    expect(handled).toBe(1);
  }, 30_000);
});

function damage(message: Uint8Array, random: (below: number) => number): Uint8Array {
  const copy = Uint8Array.from(message);
  switch (random(4)) {
    case 0:
      return copy.subarray(0, random(copy.length));
    case 1:
      for (let i = 0; i < 1 + random(4); i++) copy[random(copy.length)] = random(256);
      return copy;
    case 2:
      return copy.map(() => random(256));
    default: {
      const at = random(copy.length);
      return Buffer.concat([copy.subarray(0, at), Buffer.from([random(256), 255, 255, 255]), copy.subarray(at)]);
    }
  }
}
