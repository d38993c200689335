// What every worker would refuse, in the worker's words: said at once, not minutes later when the request has waited. Pure. What
// depends on a worker's own configuration, or on a protocol newer than Reelkit, is left to the worker.
import { fillerOf } from './file-names.ts';
import { roomNameOf } from './lift.ts';
import { holdsNewer } from './newer.ts';
import { fileFormatOf } from './pipeline.ts';
import { type Refusal, Refused } from './refused.ts';
import type { StartMessage, StartRequestOneof } from './rpc.ts';

export type { Refusal } from './refused.ts';

/** A recording's history carries its request several times; the largest sensible one, with keys of each output, has some 20 kB. */
export const MAX_REQUEST_BYTES = 256 * 1_024;

export function refusalOf(message: StartMessage): Refusal | undefined {
  const bytes = message.toBinary().length;
  if (bytes > MAX_REQUEST_BYTES)
    return refusal(`the request has ${bytes} bytes, ${MAX_REQUEST_BYTES} at most; leave out outputs or shorten names`);
  const { request } = message;
  if (request.case === undefined ? isNewerKind(message) : holdsNewer(request.value)) return undefined;
  const fill = fillerOf({ roomName: roomNameOf(message), roomId: message.roomId, atMs: 0 });
  try {
    fileFormatOf(request, fill);
    if (needsRoom(request) && !roomNameOf(message) && !message.token) return refusal(NO_ROOM);
    return undefined;
  } catch (error) {
    if (error instanceof Refused) return refusal(error.message);
    throw error;
  }
}

/** A worker makes its own token, for the room it is told. */
const NO_ROOM = 'request has missing or invalid field: token or api key/secret';

function needsRoom(request: StartRequestOneof): boolean {
  if (request.case === 'egress' || request.case === 'replay') return request.value.source.case !== 'web';
  return request.case !== 'web';
}

function refusal(text: string): Refusal {
  return { code: 'invalid_argument', message: text };
}

/** A kind of request that Reelkit cannot read is a field that it does not know. */
function isNewerKind(message: StartMessage): boolean {
  return message.getType().runtime.bin.listUnknownFields(message).length > 0;
}
