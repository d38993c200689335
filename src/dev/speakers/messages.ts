// What the process that runs the speakers and its parent say to each other. Types only.

export interface SpeakerSpec {
  url: string;
  token: string;
  identity: string;
  toneHz: number;
  width: number;
  height: number;
  fps: number;
  label: string;
  hue: number;
}

export interface PublishedTracks {
  audioTrackId: string;
  videoTrackId: string;
}

export type ToHost = { type: 'start'; id: number; spec: SpeakerSpec } | { type: 'stop'; id: number };

export type FromHost =
  | { type: 'ready' }
  | { type: 'started'; id: number; tracks: PublishedTracks }
  | { type: 'failed'; id: number; error: string }
  | { type: 'stopped'; id: number };
