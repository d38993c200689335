// One speaker: joins a room with LiveKit's own client and publishes a drawn picture and a tone until it is stopped.
// Loads the native client library, so it runs only inside the speakers' own process (host.ts).

import {
  AudioFrame,
  AudioSource,
  LocalAudioTrack,
  LocalVideoTrack,
  Room,
  TrackPublishOptions,
  TrackSource,
  VideoBufferType,
  VideoCodec,
  VideoFrame,
  VideoSource,
} from '@livekit/rtc-node';
import type { PublishedTracks, SpeakerSpec } from './messages.ts';
import { clockText, createPicture } from './picture.ts';
import { createTone, sampleRate } from './tone.ts';

export interface PublishedSpeaker {
  tracks: PublishedTracks;
  stop(): Promise<void>;
}

const audioFrameMs = 50;
const videoBitrate = 150_000n;
const audioBitrate = 32_000n;

export async function publishSpeaker(spec: SpeakerSpec): Promise<PublishedSpeaker> {
  const room = new Room();
  await room.connect(spec.url, spec.token, { autoSubscribe: false, dynacast: false });
  const video = new VideoSource(spec.width, spec.height);
  const audio = new AudioSource(sampleRate, 1);
  const videoTrackId = await publish(room, LocalVideoTrack.createVideoTrack('picture', video), {
    source: TrackSource.SOURCE_CAMERA,
    simulcast: false,
    videoCodec: VideoCodec.VP8,
    videoEncoding: { maxBitrate: videoBitrate, maxFramerate: spec.fps },
  });
  const audioTrackId = await publish(room, LocalAudioTrack.createAudioTrack('tone', audio), {
    source: TrackSource.SOURCE_MICROPHONE,
    audioEncoding: { maxBitrate: audioBitrate },
    dtx: false,
  });
  const stopPicture = showPicture(video, spec);
  const stopTone = playTone(audio, spec.toneHz);
  return {
    tracks: { audioTrackId, videoTrackId },
    async stop() {
      stopPicture();
      await stopTone();
      await room.disconnect();
      await Promise.all([video.close(), audio.close()]);
    },
  };
}

async function publish(
  room: Room,
  track: LocalVideoTrack | LocalAudioTrack,
  options: ConstructorParameters<typeof TrackPublishOptions>[0],
): Promise<string> {
  if (!room.localParticipant) throw new Error('the room has no local participant');
  const publication = await room.localParticipant.publishTrack(track, new TrackPublishOptions(options));
  if (!publication.sid) throw new Error('LiveKit gave the track no id');
  return publication.sid;
}

function showPicture(source: VideoSource, { width, height, label, hue, fps }: SpeakerSpec): () => void {
  const picture = createPicture({ width, height, label, hue });
  let frame = 0;
  const timer = setInterval(() => {
    const pixels = picture.draw(frame++, clockText(new Date()));
    source.captureFrame(new VideoFrame(pixels, width, height, VideoBufferType.I420));
  }, 1_000 / fps);
  return () => clearInterval(timer);
}

/** The audio source takes frames at the speed of the sound, so this loop needs no timer. */
function playTone(source: AudioSource, toneHz: number): () => Promise<void> {
  const samplesPerFrame = (sampleRate * audioFrameMs) / 1_000;
  const nextSamples = createTone(toneHz, samplesPerFrame);
  let playing = true;
  const finished = (async () => {
    while (playing) await source.captureFrame(new AudioFrame(nextSamples(), sampleRate, 1, samplesPerFrame));
  })().catch(() => undefined);
  return () => {
    playing = false;
    return finished;
  };
}
