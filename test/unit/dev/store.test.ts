import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ensureCacheIsWritable, hashOfFolder, installOnce } from '../../../src/dev/components/store.ts';

const deadPid = 2 ** 22 + 1;
let folder: string;
const report = vi.fn();

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'reelkit-store-'));
  vi.stubEnv('XDG_CACHE_HOME', folder);
  await ensureCacheIsWritable();
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true, force: true });
});

async function fill(into: string): Promise<void> {
  await writeFile(join(into, 'tool'), '#!/bin/sh\n');
  await chmod(join(into, 'tool'), 0o755);
}

const entries = async () => (await readdir(join(folder, 'reelkit'))).sort();

describe('installing into the cache', () => {
  it('leaves the whole component and nothing else', async () => {
    expect(await installOnce('tool-1', 'tool', fill, report)).toBe(join(folder, 'reelkit/tool-1/tool'));
    expect(await entries()).toEqual(['tool-1']);
  });

  it('happens once when two want it at the same moment', async () => {
    const slowFill = vi.fn(async (into: string) => {
      await new Promise((resolve) => setTimeout(resolve, 50));
      await fill(into);
    });
    await Promise.all([1, 2].map(() => installOnce('tool-1', 'tool', slowFill, report)));
    expect(slowFill).toHaveBeenCalledOnce();
    expect(report).toHaveBeenCalledWith(expect.stringContaining(`waiting for process ${process.pid}`));
  });

  it('leaves nothing behind when it fails, and can be tried again', async () => {
    const failing = () => Promise.reject(new Error('disk full'));
    await expect(installOnce('tool-1', 'tool', failing, report)).rejects.toThrow('disk full');
    expect(await entries()).toEqual([]);
    await installOnce('tool-1', 'tool', fill, report);
  });

  it('refuses a component that came without its binary', async () => {
    await expect(installOnce('tool-1', 'tool', async () => {}, report)).rejects.toThrow('brought no tool');
  });

  it('clears what a dead installer left: its lock and its half-filled folder', async () => {
    await writeFile(join(folder, 'reelkit/tool-1.lock'), String(deadPid));
    await mkdir(join(folder, `reelkit/.installing-${deadPid}-abc`));
    await installOnce('tool-1', 'tool', fill, report);
    expect(await entries()).toEqual(['tool-1']);
  });

  it('says which folder cannot be written and what to do', async () => {
    const file = join(folder, 'a-file');
    await writeFile(file, '');
    vi.stubEnv('XDG_CACHE_HOME', file);
    await expect(ensureCacheIsWritable()).rejects.toThrow(/cannot write to the cache folder .*set XDG_CACHE_HOME/s);
  });
});

describe('the hash of a source folder', () => {
  it('changes with a source, and not with a test or a text', async () => {
    await writeFile(join(folder, 'main.go'), 'package main');
    const before = await hashOfFolder(folder);
    await writeFile(join(folder, 'main_test.go'), 'package main');
    await writeFile(join(folder, 'README.md'), 'words');
    expect(await hashOfFolder(folder)).toBe(before);
    await writeFile(join(folder, 'main.go'), 'package main // changed');
    expect(await hashOfFolder(folder)).not.toBe(before);
  });
});
