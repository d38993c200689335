import { describe, expect, it } from 'vitest';
import { dominantFrequency, readProbe } from '../../../src/dev/media.ts';
import { createTone, sampleRate } from '../../../src/dev/speakers/tone.ts';

describe('what ffprobe says', () => {
  it('is read into numbers', () => {
    const media = readProbe({
      format: { duration: '12.480000' },
      streams: [
        { codec_type: 'video', codec_name: 'h264', width: 1280, height: 720, nb_frames: '374', duration: '12.466667' },
        { codec_type: 'audio', codec_name: 'aac', sample_rate: '48000', nb_frames: 'N/A' },
      ],
    });
    expect(media.durationSeconds).toBe(12.48);
    expect(media.streams[0]).toMatchObject({ type: 'video', codec: 'h264', width: 1280, height: 720, frames: 374 });
    expect(media.streams[1]).toMatchObject({ type: 'audio', codec: 'aac', sampleRate: 48_000, frames: undefined });
  });

  it('gives the longest stream when the file itself has no duration', () => {
    const streams = [
      { codec_type: 'video', duration: '3.5' },
      { codec_type: 'audio', duration: '4.25' },
    ];
    expect(readProbe({ format: {}, streams }).durationSeconds).toBe(4.25);
  });

  it('may be nothing at all', () => {
    expect(readProbe({})).toEqual({ durationSeconds: 0, streams: [] });
  });
});

describe('the dominant frequency', () => {
  it.each([110, 220, 440, 617, 880, 1_320])('of a speaker at %d Hz is found to 2 Hz', (toneHz) => {
    const next = createTone(toneHz, sampleRate / 10);
    const samples = Int16Array.from(Array.from({ length: 10 }, next).flatMap((frame) => [...frame]));
    const found = dominantFrequency(samples, sampleRate) ?? 0;
    expect(Math.abs(found - toneHz)).toBeLessThanOrEqual(2);
  });

  it('of silence is none', () => {
    expect(dominantFrequency(new Int16Array(8_000), 8_000)).toBeUndefined();
    expect(dominantFrequency(new Int16Array(0), 8_000)).toBeUndefined();
  });
});
