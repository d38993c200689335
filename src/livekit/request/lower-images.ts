// An images output in LiveKit's words. Pure.
import { ImageOutput } from '@livekit/protocol';
import { inlineUpload } from './inline-storage.ts';
import type { OutputOf, Place } from './lower-output.ts';

export function lowerImages(output: OutputOf<'images'>, place: Place): ImageOutput {
  const { prefix, intervalSeconds = 0, width = 0, height = 0, storage } = output;
  return new ImageOutput({
    filenamePrefix: place(prefix, storage),
    captureInterval: intervalSeconds,
    width,
    height,
    ...inlineUpload(storage),
  });
}
