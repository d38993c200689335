import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  claimChannel,
  escapePart,
  grantChannel,
  replyChannel,
  requestChannel,
  topicOf,
} from '../../../src/bus/topics.ts';

describe('names of channels', () => {
  it.each([
    [requestChannel({ service: 'EgressInternal', method: 'StartEgress' }), 'EgressInternal|StartEgress|REQ'],
    [requestChannel({ service: 'EgressInternal', method: 'StartEgress', topic: '' }), 'EgressInternal|StartEgress|REQ'],
    [
      requestChannel({ service: 'EgressInternal', method: 'StartEgress', topic: 'w-a' }),
      'EgressInternal|StartEgress|wu+002da|REQ',
    ],
    [
      grantChannel({ service: 'EgressInternal', method: 'StartEgress', topic: 'w_1' }),
      'EgressInternal|StartEgress|w_1|RCLAIM',
    ],
    [requestChannel({ service: 'EgressHandler', method: 'StopEgress', topic: '*' }), 'EgressHandler|StopEgress|*|REQ'],
    [claimChannel('EgressInternal', 'CLI_1'), 'EgressInternal|CLI_1|CLAIM'],
    [replyChannel('IOInfo', 'CLI_1'), 'IOInfo|CLI_1|RES'],
    [replyChannel('EgressInternal', '*'), 'EgressInternal|*|RES'],
  ])('%s is what psrpc calls it', (made, expected) => expect(made).toBe(expected));

  it.each([
    ['🚀_É', 'U+0001f680_u+00c9'],
    ['🛰_bar', 'U+0001f6f0_bar'],
    ['软件', 'u+8f6fu+4ef6'],
    ['*', 'u+002a'],
    ['a|b', 'au+007cb'],
  ])('%s is escaped as psrpc does', (part, expected) => expect(escapePart(part)).toBe(expected));

  it('gives the topic of a channel back', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, unit: 'grapheme' }), (topic) => {
        fc.pre(topic !== '*');
        expect(topicOf(requestChannel({ service: 'S', method: 'M', topic }))).toBe(topic);
      }),
    );
    expect(topicOf('S|M|REQ')).toBeUndefined();
  });

  it('survives names of channels that nobody made', () => {
    expect(topicOf('S|M|U+ffffffff|REQ')).toBe('U+ffffffff');
    expect(topicOf('')).toBeUndefined();
  });
});
