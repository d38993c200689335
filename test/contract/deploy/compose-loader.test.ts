// docker-compose.yml as `docker compose` itself reads it: Compose's own loader and schema, from the Go module proxy, pinned in
// deploy/compose/check/go.mod. Needs Go and no Docker.
import { join, resolve } from 'node:path';
import { execa } from 'execa';
import { beforeAll, describe, expect, test } from 'vitest';

const root = resolve(import.meta.dirname, '../../..');
const secrets = { LIVEKIT_API_KEY: 'key', LIVEKIT_API_SECRET: 'secret', POSTGRES_PASSWORD: 'password' };

const load = (env: Record<string, string>, file = 'docker-compose.yml') =>
  execa('go', ['run', '-C', 'deploy/compose/check', '.', join(root, file)], {
    cwd: root,
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      GOFLAGS: `${process.env.GOFLAGS ?? ''} -mod=readonly`,
      ...env,
    },
    extendEnv: false,
    reject: false,
  });

describe('docker-compose.yml, loaded by Compose itself', () => {
  let project: { services: Record<string, { environment?: Record<string, string>; build?: { context: string } }> };

  beforeAll(async () => {
    const { exitCode, stdout, stderr } = await load(secrets);
    // The first run on a machine also tells what Go fetches.
    expect(stderr.replaceAll(/^go: downloading .*\n?/gm, '')).toBe('');
    expect(exitCode).toBe(0);
    project = JSON.parse(stdout);
  });

  test('keeps to the Compose specification', () => {
    expect(Object.keys(project.services)).toHaveLength(12);
    for (const name of ['reelkit', 'reelkit-2']) expect(project.services[name]?.build?.context).toBe(root);
  });

  test('hands the secrets of the environment to those who need them', () => {
    const { livekit, egress, reelkit, temporal } = project.services;
    expect(livekit?.environment?.LIVEKIT_KEYS).toBe('key: secret');
    for (const one of [egress, reelkit, project.services['reelkit-2']])
      expect(one?.environment).toMatchObject({ LIVEKIT_API_SECRET: 'secret' });
    expect(temporal?.environment).toMatchObject({ POSTGRES_PWD: 'password' });
  });

  test.each(Object.keys(secrets))('is refused without %s, and the message says what to do', async (missing) => {
    const { exitCode, stderr } = await load({ ...secrets, [missing]: '' });
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`${missing} is missing a value: set it in .env, see deploy/compose/.env.example`);
  });
});

test('the loader does refuse a file that breaks the specification', async () => {
  const { exitCode, stderr } = await load({}, 'package.json');
  expect(exitCode).toBe(1);
  expect(stderr).not.toBe('');
});
