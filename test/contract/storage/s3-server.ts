// A real S3 server on a folder of this machine: versitygw, built on demand from tools/versitygw; the first time takes minutes.
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { endAtExit } from '../../../src/dev/last-resort.ts';
import { freePorts } from '../../../src/dev/ports.ts';
import { waitFor } from '../../support/stack-wait.ts';
import { buildGoTool } from '../../support/tools.ts';

export const REGION = 'eu-west-1';
/** Of its owner, who may do everything. */
export const KEYS = { accessKey: 'lessons-key', secret: 'lessons-secret' };

export interface S3Server {
  endpoint: string;
  /** Runs one of the server's own commands. */
  admin(...command: string[]): Promise<void>;
  /** Names of all objects, without their folders. */
  objectsIn(bucket: string): Promise<string[]>;
  close(): Promise<void>;
}

export async function startS3Server(buckets: readonly string[]): Promise<S3Server> {
  const binary = await buildGoTool('versitygw', 'github.com/versity/versitygw/cmd/versitygw');
  const folder = await mkdtemp(join(tmpdir(), 'reelkit-s3-'));
  for (const name of [...buckets.map((bucket) => `buckets/${bucket}`), 'sidecar', 'users'])
    await mkdir(join(folder, name), { recursive: true });
  const [port] = await freePorts(1);
  const endpoint = `http://127.0.0.1:${port}`;
  const users = ['--iam-dir', join(folder, 'users')];
  const settings = ['--port', `127.0.0.1:${port}`, '--region', REGION, '--quiet', '--health', '/health', ...users];
  // Not every file system of a temporary folder has extended attributes.
  const backend = ['posix', '--sidecar', join(folder, 'sidecar'), join(folder, 'buckets')];
  const env = { ROOT_ACCESS_KEY_ID: KEYS.accessKey, ROOT_SECRET_ACCESS_KEY: KEYS.secret };
  const server = execa(binary, [...settings, ...backend], { env, reject: false, stdio: 'ignore' });
  endAtExit(() => server.kill('SIGKILL'));
  await waitFor(
    'the S3 server answers',
    () => fetch(`${endpoint}/health`),
    ({ ok }) => ok,
    30_000,
  );
  return {
    endpoint,
    async admin(...command) {
      const owner = ['--access', KEYS.accessKey, '--secret', KEYS.secret, '--region', REGION];
      await execa(binary, ['admin', ...owner, '--endpoint-url', endpoint, ...command]);
    },
    async objectsIn(bucket) {
      const entries = await readdir(join(folder, 'buckets', bucket), { recursive: true, withFileTypes: true });
      return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
    },
    async close() {
      server.kill('SIGKILL');
      await server;
      await rm(folder, { recursive: true, force: true });
    },
  };
}
