// The payload codec by itself: what it hides, what it lets pass, and what it says when a key is missing or a byte is wrong.
import { randomBytes } from 'node:crypto';
import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createPayloadCodec, keyIdOf, PayloadKeyError } from '../../../src/temporal/codec.ts';

const key = (id: string) => ({ id, key: randomBytes(32) });
const [FIRST, SECOND] = [key('k1'), key('k2')];
const codec = createPayloadCodec([FIRST, SECOND]);
const payload = (value: unknown): Payload => defaultPayloadConverter.toPayload(value) ?? {};
const only = async (payloads: Promise<Payload[]>): Promise<Payload> => (await payloads)[0] ?? {};
const read = (value: Payload): unknown => defaultPayloadConverter.fromPayload(value);
const changed = (sealed: Payload, change: (data: Buffer) => void): Payload => {
  const data = Buffer.from(sealed.data ?? []);
  change(data);
  return { ...sealed, data };
};

describe('a payload', () => {
  it('comes back as it was, whatever it is', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.jsonValue(), { maxLength: 5 }), async (values) => {
        const given = values.map(payload);
        const back = await codec.decode(await codec.encode(given));
        expect(back.map(read)).toEqual(given.map(read));
      }),
    );
  });

  it('comes back with its own metadata and raw bytes', async () => {
    const data = new Uint8Array([0, 255, 1]);
    const [back] = await codec.decode(await codec.encode([payload(data)]));
    expect(read(back ?? {})).toEqual(data);
  });

  it('shows nothing of itself but the id of its key, and is never the same twice', async () => {
    const [one, other] = await codec.encode([payload('a secret'), payload('a secret')]);
    expect(Object.keys(one?.metadata ?? {}).sort()).toEqual(['encoding', 'encryption-cipher', 'encryption-key-id']);
    expect(Buffer.from(one?.data ?? []).includes('a secret')).toBe(false);
    expect(one?.data).not.toEqual(other?.data);
    expect(keyIdOf(one ?? {})).toBe('k1');
  });

  it('that was not encrypted by us passes as it is', async () => {
    const foreign = {
      metadata: { encoding: Buffer.from('binary/encrypted'), 'encryption-key-id': Buffer.from('k1') },
      data: Buffer.from('of another codec'),
    };
    const given = [payload({ plain: true }), {}, foreign];
    expect(await codec.decode(given)).toEqual(given);
    expect(given.map(keyIdOf)).toEqual([undefined, undefined, undefined]);
  });
});

describe('keys', () => {
  it('all decrypt, whichever is first', async () => {
    const byFirst = await codec.encode([payload(1)]);
    const rotated = createPayloadCodec([SECOND, FIRST]);
    expect(read(await only(rotated.decode(byFirst)))).toBe(1);
    expect(keyIdOf(await only(rotated.encode([payload(1)])))).toBe('k2');
  });

  it('that are not there are named with those that are, and with what to do', async () => {
    const sealed = await createPayloadCodec([key('gone')]).encode([payload('a secret')]);
    const error = await codec.decode(sealed).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(PayloadKeyError);
    expect(error).toMatchObject({ code: 'unknown_key', keyId: 'gone' });
    expect(String(error)).toMatch(/no encryption key "gone" is configured \(known: k1, k2\): put it back/);
  });

  it('of the right id and another value are told from missing ones', async () => {
    const sealed = await createPayloadCodec([key('k1')]).encode([payload(1)]);
    await expect(codec.decode(sealed)).rejects.toMatchObject({ code: 'damaged', keyId: 'k1' });
  });

  it('are bound to what they encrypted: the same key under another id does not open it', async () => {
    const [sealed] = await createPayloadCodec([{ ...FIRST, id: 'other' }]).encode([payload(1)]);
    const renamed = { ...sealed, metadata: { ...sealed?.metadata, 'encryption-key-id': Buffer.from('k1') } };
    await expect(codec.decode([renamed])).rejects.toMatchObject({ code: 'damaged' });
  });
});

describe('an encrypted payload that was changed', () => {
  it('does not open, wherever the change is', async () => {
    const sealed = await only(codec.encode([payload('a secret')]));
    for (let at = 0; at < (sealed.data?.length ?? 0); at += 1) {
      const bad = changed(sealed, (data) => {
        data[at] = (data[at] ?? 0) ^ 1;
      });
      await expect(codec.decode([bad])).rejects.toMatchObject({ code: 'damaged' });
    }
  });

  it.each([0, 1, 12, 27, 28])('does not open when cut to %d bytes', async (length) => {
    const sealed = await only(codec.encode([payload('a secret')]));
    const cut = { ...sealed, data: sealed.data?.subarray(0, length) };
    await expect(codec.decode([cut as Payload])).rejects.toMatchObject({ code: 'damaged' });
  });

  it('is named without a byte of what it holds', async () => {
    const sealed = await only(codec.encode([payload('a secret')]));
    const error = await codec.decode([changed(sealed, (data) => data.fill(0, 12, 14))]).catch(String);
    expect(error).toContain('"k1"');
    expect(error).not.toContain('a secret');
    expect(error).not.toContain(FIRST.key.toString('base64'));
  });
});
