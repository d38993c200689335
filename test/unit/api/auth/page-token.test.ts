import { expect, test } from 'vitest';
import { readPageToken, writePageToken } from '../../../../src/api/auth/page-token.ts';

const token = Uint8Array.from([0, 255, 1, 2, 3]);

test('a token comes back as it was, for the same filter', () => {
  expect([...(readPageToken(writePageToken(token, 'a'), 'a') ?? [])]).toEqual([...token]);
});

test.each(['', 'abc', 'not-a-token-of-ours', writePageToken(token, 'b'), `${writePageToken(token, 'a')}x`])(
  'what was not made for this list is refused: %s',
  (other) => {
    expect(readPageToken(other, 'a')).toBeUndefined();
  },
);
