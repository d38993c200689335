import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isReachable, unpackRelease, verifyChecksum } from '../../../src/dev/components/release.ts';

let folder: string;
let server: Server;
let base: string;
const files = new Map<string, Buffer>();

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'reelkit-release-'));
  await mkdir(join(folder, 'in/tool_1.0'), { recursive: true });
  await mkdir(join(folder, 'out'));
  await writeFile(join(folder, 'in/tool_1.0/tool'), 'binary', { mode: 0o755 });
  execFileSync('tar', ['-czf', join(folder, 'tool.tar.gz'), '-C', join(folder, 'in'), 'tool_1.0']);
  const archive = await readFile(join(folder, 'tool.tar.gz'));
  files.set('/tool.tar.gz', archive);
  files.set('/checksums.txt', Buffer.from(`${createHash('sha256').update(archive).digest('hex')}  tool.tar.gz\n`));
  server = createServer((request, response) => {
    const body = files.get(request.url ?? '');
    response.writeHead(body ? 200 : 404).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(async () => {
  server.close();
  await rm(folder, { recursive: true, force: true });
});

const source = () => ({
  kind: 'release' as const,
  host: '127.0.0.1',
  url: `${base}/tool.tar.gz`,
  checksumsUrl: `${base}/checksums.txt`,
  platforms: ['linux' as const],
});

describe('a release archive', () => {
  it('is unpacked, its binary at the top whatever its inner folders are', async () => {
    await unpackRelease(source(), 'tool', join(folder, 'out'));
    expect(await readFile(join(folder, 'out/tool'), 'utf8')).toBe('binary');
  });

  it('is refused when it does not match its published checksum', async () => {
    files.set('/checksums.txt', Buffer.from(`${'0'.repeat(64)}  tool.tar.gz\n`));
    await expect(unpackRelease(source(), 'tool', join(folder, 'out'))).rejects.toThrow('does not match');
  });

  it('is refused when the checksums do not name it', () => {
    expect(() => verifyChecksum(Buffer.from('x'), 'tool.tar.gz', 'abc  other.tar.gz\n')).toThrow('do not name');
  });

  it('that is not there is an error with its address and status', async () => {
    const missing = { ...source(), url: `${base}/none.tar.gz` };
    await expect(unpackRelease(missing, 'tool', join(folder, 'out'))).rejects.toThrow(/none\.tar\.gz answered 404/);
  });

  it('is not asked of a host that cannot be reached', async () => {
    expect(await isReachable('host.invalid')).toBe(false);
  });
});
