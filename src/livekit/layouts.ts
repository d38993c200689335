// UpdateLayout, which LiveKit answers by itself: it asks the room's node to change the metadata of the participant that has the egress's
// name, over its own Redis. Reelkit overhears that, so that a next part begins with the layout of now. It claims and answers nothing.
import { createHash } from 'node:crypto';
import { UpdateParticipantRequest } from '@livekit/protocol';
import { requestChannel } from '../bus/topics.ts';
import type { BusTransport, Unsubscribe } from '../bus/transport.ts';
import { decodeRequest } from '../bus/wire.ts';
import { RECORDING_ID } from '../recording/attempt.ts';

export interface LayoutParts {
  bus: Pick<BusTransport, 'psubscribe' | 'lock'>;
  /** Durable once it settles. Does nothing for what is no open recording. */
  note(recordingId: string, layout: string): Promise<void>;
  log: { warn(fields: object, message: string): void };
}

/** A participant's topic is `<room>_<identity>`. */
const RECORDERS = requestChannel({ service: 'Participant', method: 'UpdateParticipant', topic: '*' }).replace(
  '*',
  '*_EG_*',
);
/** Of several processes that hear the same one tells the recording. */
const LOCK_MS = 5_000;
const MAX_CHARACTERS = 256;

/** Hears until it is stopped. */
export function hearLayouts({ bus, note, log }: LayoutParts): Promise<Unsubscribe> {
  return bus.psubscribe(RECORDERS, (message) => {
    const heard = readChange(message);
    if (!heard) return;
    void (async () => {
      try {
        const hash = createHash('sha256').update(message).digest('base64url');
        if (await bus.lock(`reelkit:layout:${hash}`, LOCK_MS)) await note(heard.recordingId, heard.layout);
      } catch (error) {
        log.warn(
          { recording: heard.recordingId, error: String(error) },
          'a change of layout could not be kept; a next part may begin with the one before',
        );
      }
    })();
  });
}

function readChange(message: Uint8Array): { recordingId: string; layout: string } | undefined {
  const request = decodeRequest(message)?.request;
  if (!request) return undefined;
  try {
    const { identity, metadata } = UpdateParticipantRequest.fromBinary(request);
    const layout = layoutOf(metadata);
    return RECORDING_ID.test(identity) && layout !== undefined ? { recordingId: identity, layout } : undefined;
  } catch {
    return undefined;
  }
}

/** As LiveKit writes it into the recorder's metadata. */
export function layoutOf(metadata: string): string | undefined {
  try {
    const { layout } = JSON.parse(metadata) as { layout?: unknown };
    return typeof layout === 'string' && layout.length <= MAX_CHARACTERS ? layout : undefined;
  } catch {
    return undefined;
  }
}
