// A continuous sine tone as 16 bit PCM, cut into frames without a click between them. Pure.

export const sampleRate = 48_000;

const amplitude = 0.25 * 32_767;

export function createTone(toneHz: number, samplesPerFrame: number): () => Int16Array {
  const step = (2 * Math.PI * toneHz) / sampleRate;
  let phase = 0;
  return () => {
    const samples = new Int16Array(samplesPerFrame);
    for (let i = 0; i < samplesPerFrame; i++) samples[i] = amplitude * Math.sin(phase + i * step);
    phase = (phase + samplesPerFrame * step) % (2 * Math.PI);
    return samples;
  };
}
