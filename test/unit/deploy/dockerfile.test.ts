// What the image promises: built in stages, only what it needs, no root, and a build context without secrets.
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';

const root = resolve(import.meta.dirname, '../../..');
const lines = readFileSync(resolve(root, 'Dockerfile'), 'utf8').split('\n');
const final = lines.slice(lines.findLastIndex((line) => line.startsWith('FROM ')));
const ignored = readFileSync(resolve(root, '.dockerignore'), 'utf8').split('\n');

describe('Dockerfile', () => {
  test('builds from base images with a full version', () => {
    const bases = lines.filter((line) => line.startsWith('FROM '));
    expect(bases).toHaveLength(3);
    for (const base of bases) expect(base).toMatch(/^FROM node:\d+\.\d+\.\d+-bookworm(-slim)?( AS \w+)?$/);
  });

  test('installs exactly what the lock file says, and no development packages in the image', () => {
    expect(lines.filter((line) => /npm (install|i)\b/.test(line))).toEqual([]);
    expect(lines).toContain('RUN npm ci --omit=dev && npm cache clean --force');
    expect(final.filter((line) => line.startsWith('RUN '))).toEqual([
      'RUN apt-get update && apt-get install --yes --no-install-recommends ffmpeg && rm -rf /var/lib/apt/lists/*',
    ]);
  });

  test('runs as a user without rights, by the compiled entry point', () => {
    expect(final).toContain('USER node');
    expect(final).toContain('ENTRYPOINT ["node", "dist/main.js"]');
    expect(final.indexOf('USER node')).toBeGreaterThan(final.findLastIndex((line) => line.startsWith('COPY ')));
  });

  test('lets into the build context only what it copies', () => {
    expect(ignored).toContain('*');
    const allowed = ignored.filter((line) => line.startsWith('!')).map((line) => line.slice(1));
    const copied = lines
      .filter((line) => line.startsWith('COPY ') && !line.includes('--from='))
      .flatMap((line) => line.split(' ').slice(1, -1));
    expect(new Set(allowed)).toEqual(new Set(copied));
    for (const path of allowed) expect(existsSync(resolve(root, path))).toBe(true);
  });
});
