// What the proxy of the cut tests reads must be what was said, however it was cut into pieces on the way.
import { expect, it } from 'vitest';
import { createRespReader, respCommand } from '../../support/resp.ts';

const publish = respCommand('PUBLISH', 'a|b', new Uint8Array([13, 10, 0, 255]));
const answers = Buffer.from(
  '+OK\r\n:7\r\n$-1\r\n*-1\r\n%1\r\n+proto\r\n:3\r\n>3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\n\r\n\r\n',
);

it('reads frames of every kind, whole, whatever the pieces they come in', () => {
  const all = Buffer.concat([publish, answers]);
  for (const size of [1, 2, 3, 7, all.length]) {
    const read = createRespReader();
    const frames = [];
    for (let from = 0; from < all.length; from += size) frames.push(...read(all.subarray(from, from + size)));
    expect(Buffer.concat(frames.map(({ raw }) => raw))).toEqual(all);
    const [command, ok, number, none, nothing, pairs, push] = frames.map(({ value }) => value);
    expect(command).toEqual([Buffer.from('PUBLISH'), Buffer.from('a|b'), Buffer.from([13, 10, 0, 255])]);
    expect([ok, number, none, nothing]).toEqual([Buffer.from('OK'), Buffer.from('7'), null, null]);
    expect(pairs).toEqual([Buffer.from('proto'), Buffer.from('3')]);
    expect(push).toEqual([Buffer.from('message'), Buffer.from('c'), Buffer.from('\r\n')]);
  }
});
