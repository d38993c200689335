// Official release archives: is their host reachable, download, check against the published checksums, unpack.
// Every failure is an error that the caller answers by trying the next source.

import { createHash } from 'node:crypto';
import { readdir, rename, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { basename, join } from 'node:path';
import { execa } from 'execa';
import type { Source } from './catalog.ts';

type Release = Extract<Source, { kind: 'release' }>;

const connectTimeoutMs = 3_000;
const downloadTimeoutMs = 180_000;
const probes = new Map<string, Promise<boolean>>();

/** One connection attempt per host and process, so that an offline machine loses three seconds at most. */
export function isReachable(host: string): Promise<boolean> {
  const known = probes.get(host) ?? tryToConnect(host);
  probes.set(host, known);
  return known;
}

export async function unpackRelease(source: Release, binary: string, folder: string): Promise<void> {
  const archive = await fetchBytes(source.url);
  if (source.checksumsUrl) verifyChecksum(archive, basename(source.url), String(await fetchBytes(source.checksumsUrl)));
  const file = join(folder, 'archive.tar.gz');
  await writeFile(file, archive);
  await execa('tar', ['-xzf', file, '-C', folder]);
  await liftBinary(folder, binary);
}

/** `checksums.txt` as release tools write it: `<sha256>  <file name>` a line. */
export function verifyChecksum(bytes: Buffer, fileName: string, checksums: string): void {
  const line = checksums
    .split('\n')
    .find((candidate) => candidate.trim().split(/\s+/)[1]?.replace(/^\*/, '') === fileName);
  if (!line) throw new Error(`the published checksums do not name ${fileName}`);
  const actual = createHash('sha256').update(bytes).digest('hex');
  if (line.trim().split(/\s+/)[0] !== actual) throw new Error(`${fileName} does not match its published checksum`);
}

/** Archives differ in their inner folders: moves the named binary to the top. */
export async function liftBinary(folder: string, binary: string): Promise<void> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const found = entries.find((entry) => entry.isFile() && entry.name === binary);
  if (!found) throw new Error(`there is no ${binary} in it`);
  if (found.parentPath !== folder) await rename(join(found.parentPath, binary), join(folder, binary));
}

function tryToConnect(host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(443, host);
    const finish = (reachable: boolean) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(reachable);
    };
    const timer = setTimeout(finish, connectTimeoutMs, false);
    socket.once('connect', () => finish(true));
    socket.once('error', () => finish(false));
  });
}

async function fetchBytes(url: string): Promise<Buffer> {
  const response = await fetch(url, { signal: AbortSignal.timeout(downloadTimeoutMs) });
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  return Buffer.from(await response.arrayBuffer());
}
