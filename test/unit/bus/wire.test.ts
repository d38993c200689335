import { gzipSync } from 'node:zlib';
import { Any, BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RpcError } from '../../../src/bus/error.ts';
import {
  decodeClaim,
  decodeGrant,
  decodeReply,
  decodeRequest,
  encodeClaim,
  encodeGrant,
  encodeReply,
  encodeRequest,
  MAX_MESSAGE_BYTES,
  type WireRequest,
} from '../../../src/bus/wire.ts';

const request: WireRequest = {
  requestId: 'REQ_1',
  clientId: 'CLI_1',
  sentAtMs: 1_784_000_000_000.125,
  expiryMs: 1_784_000_010_000,
  multi: false,
  metadata: { trace: 'x' },
  request: new Uint8Array([10, 1, 65]),
};

describe('messages on the wire', () => {
  it('are, byte for byte, internal.Msg around the message', () => {
    // Msg{1: type_url, 2: ClaimRequest{1: REQ_1, 2: SRV_1, 3: 0.5}}, by the rules of protobuf.
    const written =
      '0a29747970652e676f6f676c65617069732e636f6d2f696e7465726e616c2e436c61696d5265717565737412130a055245515f3112055352565f311d0000003f';
    const claim = { requestId: 'REQ_1', serverId: 'SRV_1', affinity: 0.5, handling: false };
    expect(Buffer.from(encodeClaim(claim)).toString('hex')).toBe(written);
    expect(decodeClaim(Buffer.from(written, 'hex'))).toEqual(claim);
  });

  it('come back as they were', () => {
    expect(decodeRequest(encodeRequest(request))).toEqual(request);
    const grant = { requestId: 'REQ_1', serverId: 'SRV_1' };
    expect(decodeGrant(encodeGrant(grant))).toEqual(grant);
    const reply = { ...grant, sentAtMs: 5, response: new Uint8Array([1]) };
    expect(decodeReply(encodeReply(reply))).toEqual(reply);
    const error = { code: 'not_found', message: 'egress' };
    expect(decodeReply(encodeReply({ ...reply, error }))).toEqual({ ...reply, response: new Uint8Array(), error });
  });

  it('carry times in nanoseconds', () => {
    const reader = new BinaryReader(Any.fromBinary(encodeRequest(request)).value);
    for (;;) {
      const [no, type] = reader.tag();
      if (no === 4) return expect(reader.int64()).toBe(1_784_000_010_000_000_000n);
      reader.skip(type);
    }
  });

  it('are read when psrpc 0.8 has compressed them', () => {
    const { typeUrl, value } = Any.fromBinary(encodeRequest(request));
    expect(decodeRequest(messageOf(typeUrl, gzipSync(value), 1))).toEqual(request);
  });

  it('are not read with a compression that nobody knows, or that inflates without end', () => {
    const { typeUrl, value } = Any.fromBinary(encodeRequest(request));
    expect(decodeRequest(messageOf(typeUrl, value, 2))).toBeUndefined();
    const bomb = gzipSync(Buffer.concat([value, Buffer.alloc(MAX_MESSAGE_BYTES)]));
    expect(bomb.length).toBeLessThan(10_000);
    expect(decodeRequest(messageOf(typeUrl, bomb, 1))).toBeUndefined();
  });

  it('are bounded, coming and going', () => {
    const large = { ...request, request: new Uint8Array(MAX_MESSAGE_BYTES) };
    expect(() => encodeRequest(large)).toThrow(RpcError);
    const { typeUrl } = Any.fromBinary(encodeRequest(request));
    expect(decodeRequest(messageOf(typeUrl, Buffer.alloc(MAX_MESSAGE_BYTES + 1)))).toBeUndefined();
  });

  it('may hold fields of later versions', () => {
    const { typeUrl, value } = Any.fromBinary(encodeRequest(request));
    const later = new BinaryWriter()
      .tag(10, WireType.Varint)
      .bool(true)
      .tag(77, WireType.LengthDelimited)
      .string('new');
    const message = messageOf(typeUrl, Buffer.concat([value, later.finish()]));
    expect(decodeRequest(message)).toEqual(request);
  });

  it('are not taken for another kind', () => {
    expect(decodeRequest(encodeGrant({ requestId: 'REQ_1', serverId: 'SRV_1' }))).toBeUndefined();
    expect(decodeGrant(encodeRequest(request))).toBeUndefined();
    expect(decodeReply(encodeRequest(request))).toBeUndefined();
  });

  it.each([
    ['no request id', { requestId: '' }],
    ['no client id', { clientId: '' }],
    ['an endless id', { requestId: 'R'.repeat(257) }],
  ])('are passed over with %s', (_, change) => {
    expect(decodeRequest(encodeRequest({ ...request, ...change }))).toBeUndefined();
  });

  it('never make decoding throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        for (const decode of [decodeRequest, decodeClaim, decodeGrant, decodeReply]) decode(bytes);
      }),
    );
  });
});

function messageOf(typeUrl: string, value: Uint8Array, compression?: number): Uint8Array {
  const writer = new BinaryWriter()
    .tag(1, WireType.LengthDelimited)
    .string(typeUrl)
    .tag(2, WireType.LengthDelimited)
    .bytes(value);
  if (compression !== undefined) writer.tag(4, WireType.Varint).int32(compression);
  return writer.finish();
}
