import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { awsComponentNames, catalog, componentNames, livekitVersion } from '../../../src/dev/components/catalog.ts';
import { imageWrapper, remedyFor, repositoryRoot } from '../../../src/dev/components/sources.ts';
import { formatVersion, isAtLeast, parseVersion } from '../../../src/dev/components/version.ts';

describe('the version of a binary', () => {
  it.each([
    ['temporal version 1.9.1 (Server 1.32.0, UI 2.54.1)', [1, 9, 1]],
    ['livekit-server version 1.13.5', [1, 13, 5]],
    ['Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64', [7, 0, 15]],
    ['ffmpeg version 5.1.9-0+deb12u1 Copyright (c) 2000-2026', [5, 1, 9]],
    ['egress version 1.14', [1, 14, 0]],
  ])('is the first dotted number it prints: %s', (text, version) => {
    expect(parseVersion(text)).toEqual(version);
  });

  it('is unknown when nothing like a version is printed', () => {
    expect(parseVersion('command not found')).toBeUndefined();
  });

  it.each([
    [[1, 13, 2], true],
    [[1, 13, 1], false],
    [[1, 14, 0], true],
    [[2, 0, 0], true],
    [[0, 99, 99], false],
  ] as const)('%j is compared part by part with 1.13.2', (version, accepted) => {
    expect(isAtLeast(version, [1, 13, 2])).toBe(accepted);
  });

  it('is written with dots', () => {
    expect(formatVersion([1, 9, 1])).toBe('1.9.1');
  });
});

describe('the catalog', () => {
  const components = catalog({ os: 'linux', arch: 'amd64' });

  it('knows every component, each with a source and a remedy to show', () => {
    for (const name of [...componentNames, ...awsComponentNames]) {
      expect(components[name].name).toBe(name);
      expect(components[name].sources.map(remedyFor)).not.toContain('');
      expect(components[name].sources.length).toBeGreaterThan(0);
    }
  });

  it('prefers official releases with published checksums over packages and builds', () => {
    for (const name of ['temporal', 'livekit-server'] as const) {
      expect(components[name].sources[0]).toMatchObject({
        kind: 'release',
        checksumsUrl: expect.stringMatching(/^https/),
      });
    }
  });

  it('prefers a build of the stand-in worker over the image, and a named binary over both', () => {
    expect(components.egress.sources.map(({ kind }) => kind)).toEqual(['go', 'image']);
    expect(components.egress.variable).toBe('REELKIT_EGRESS_BIN');
  });

  it('names the archive of the platform', () => {
    const { sources } = catalog({ os: 'linux', arch: 'arm64' }).temporal;
    expect(sources[0]).toMatchObject({ url: expect.stringMatching(/temporal_cli_[\d.]+_linux_arm64\.tar\.gz$/) });
  });

  it('builds the same LiveKit version from Go modules as it downloads', () => {
    const goMod = readFileSync(join(repositoryRoot, 'tools/livekit-server/go.mod'), 'utf8');
    expect(goMod).toContain(`github.com/livekit/livekit-server v${livekitVersion}`);
  });
});

describe('the wrapper around the egress image', () => {
  it('hands its arguments on and sees the state folder under the same path', () => {
    const script = imageWrapper('livekit/egress:v1');
    expect(script).toContain('--network host');
    expect(script).toContain('-v "$state:$state"');
    expect(script.trim().endsWith('livekit/egress:v1 "$@"')).toBe(true);
  });
});
