// Requests of every kind with outputs of every kind, for the tests of the request language.
import { StartMessage } from '../../../../src/livekit/request/index.ts';

export type Kind = 'roomComposite' | 'web' | 'participant' | 'trackComposite' | 'track' | 'egress' | 'replay';

/** As it comes over the wire: encoded once, so that every field has its own type. */
export function start(kind: Kind | undefined, value: object = {}, more: object = {}): StartMessage {
  const field = StartMessage.fields.list().find(({ localName }) => localName === kind);
  const request = field?.kind === 'message' ? { case: kind, value: new field.T(value) } : { case: undefined };
  const message = new StartMessage({ egressId: 'EG_abcdefghijkl', roomId: 'RM_1', request, ...more } as object);
  return StartMessage.fromBinary(message.toBinary());
}
