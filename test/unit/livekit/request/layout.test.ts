// A changed layout goes to what has one, and makes no browser of what needs none.

import {
  ParticipantEgressRequest,
  RoomCompositeEgressRequest,
  StartEgressRequest,
  TemplateSource,
} from '@livekit/protocol';
import { describe, expect, it } from 'vitest';
import { withLayout } from '../../../../src/livekit/request/layout.ts';
import { StartMessage } from '../../../../src/livekit/request/rpc.ts';

const composite = (value: Partial<RoomCompositeEgressRequest>) =>
  new StartMessage({ request: { case: 'roomComposite', value: new RoomCompositeEgressRequest(value) } });
const template = (value: Partial<TemplateSource>) =>
  new StartMessage({
    request: {
      case: 'egress',
      value: new StartEgressRequest({ source: { case: 'template', value: new TemplateSource(value) } }),
    },
  });

describe('withLayout', () => {
  it.each([
    ['a composite', composite({ layout: 'speaker' })],
    ['a composite of sound with a layout', composite({ layout: 'speaker', audioOnly: true })],
    ['a composite of sound with a page of its own', composite({ audioOnly: true, customBaseUrl: 'https://a' })],
    ['a template', template({ layout: 'speaker' })],
  ])('changes that of %s, in a copy', (_, message) => {
    const before = message.toBinary();
    const json = withLayout(message, 'grid').toJsonString();
    expect(json).toContain('"layout":"grid"');
    expect(message.toBinary()).toEqual(before);
  });

  it.each([
    ['sound that is taken from the room itself', composite({ audioOnly: true })],
    ['the same as a template', template({ audioOnly: true })],
    [
      'a participant',
      new StartMessage({ request: { case: 'participant', value: new ParticipantEgressRequest({ identity: 'a' }) } }),
    ],
    ['a request that is newer than Reelkit', new StartMessage()],
  ])('leaves %s as it is', (_, message) => {
    expect(withLayout(message, 'grid').toBinary()).toEqual(message.toBinary());
  });
});
