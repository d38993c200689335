// Paths as workers read them: cleaned, placeholders filled, with the extension of their format. livekit/egress
// pkg/config/output_file.go. Pure.
import { posix } from 'node:path';

export type Fill = (name: string) => string;

/** What fills the placeholders that are known before a recorder joins. */
export interface KnownNames {
  /** Empty: no room, and its placeholders stay. */
  roomName: string;
  roomId: string;
  atMs: number;
}

/** A worker replaces these when they are wrong; every other ending is part of the name. */
const KNOWN_EXTENSIONS = ['.raw', '.ogg', '.mp3', '.ivf', '.mp4', '.ts', '.webm', '.m3u8', '.jpeg'];

/** No dot segments, nothing above the storage; a slash in front or behind stays. */
export function cleanPath(path: string): string {
  const normal = posix.normalize(path).replace(/^(\.\.\/)+/, '');
  return ['.', './', '..'].includes(normal) ? '' : normal;
}

/** Cleaned again at the end, as a worker cleans what it is sent. */
export function fillerOf({ roomName, roomId, atMs }: KnownNames): Fill {
  const values: Record<string, string> = {
    time: timeOf(atMs),
    utc: new Date(atMs).toISOString().replaceAll(/[-:.TZ]/g, ''),
    ...(roomName ? { room_name: roomName, room_id: roomId } : {}),
  };
  return (name) => cleanPath(cleanPath(name).replaceAll(/\{(\w+)\}/g, (all, key: string) => values[key] ?? all));
}

/** Of a name that was left to the worker. */
export function baseNameOf(identifier: string, atMs: number): string {
  return `${identifier}-${timeOf(atMs)}`;
}

export function isUnnamed(path: string): boolean {
  return path === '' || path.endsWith('/');
}

export function withExtension(path: string, extension: string): string {
  if (path.endsWith(extension)) return path;
  const dot = path.lastIndexOf('.');
  const isKnown = dot >= 0 && KNOWN_EXTENSIONS.includes(path.slice(dot));
  return (isKnown ? path.slice(0, dot) : path) + extension;
}

/** The folder with its slash. */
export function splitPath(path: string): { folder: string; name: string } {
  const slash = path.lastIndexOf('/') + 1;
  return { folder: path.slice(0, slash), name: path.slice(slash) };
}

function timeOf(atMs: number): string {
  const iso = new Date(atMs).toISOString();
  return `${iso.slice(0, 10)}T${iso.slice(11, 19).replaceAll(':', '')}`;
}
