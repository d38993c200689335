// A stream output in LiveKit's words. Pure.
import { StreamOutput, StreamProtocol } from '@livekit/protocol';
import type { StreamFormat } from './codecs.ts';
import type { OutputOf } from './lower-output.ts';
import { formatOfStream } from './stream-url.ts';

const PROTOCOLS: Record<StreamFormat, StreamProtocol> = {
  rtmp: StreamProtocol.RTMP,
  srt: StreamProtocol.SRT,
  'audio/x-raw': StreamProtocol.WEBSOCKET,
};

export function lowerStream({ urls }: OutputOf<'stream'>): StreamOutput {
  return new StreamOutput({ protocol: PROTOCOLS[formatOfStream(urls)], urls });
}
