import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Child, startChild } from '../../../src/dev/child.ts';
import { freePorts, isPortFree } from '../../../src/dev/ports.ts';

let folder: string;
let count = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'reelkit-child-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const startShell = (script: string, ready = async () => true, readyTimeoutMs = 5_000): Promise<Child> =>
  startChild({
    name: 'Part',
    command: '/bin/sh',
    args: ['-c', script],
    logFile: join(folder, `${++count}.log`),
    ready,
    readyTimeoutMs,
  });

const never = async () => false;
const PATIENCE = { timeout: 10_000 };

describe('a child of the stack', () => {
  it('that ends at once is an error with its name, status, log file and last words', async () => {
    const error = await startShell('echo first; echo the port is taken >&2; exit 3', never).catch((e: Error) => e);
    expect(String(error)).toMatch(
      /Part \(\/bin\/sh\) ended at once \(exit status 3\); log: .*\d\.log; .*the port is taken/s,
    );
  });

  it('whose binary is missing is an error that says so', async () => {
    const spec = { name: 'Part', command: '/no/such/binary', args: [], logFile: join(folder, 'none.log') };
    await expect(startChild({ ...spec, ready: never, readyTimeoutMs: 5_000 })).rejects.toThrow(/ENOENT.*wrote nothing/);
  });

  it('that never becomes ready is ended', async () => {
    await expect(startShell('echo $$; sleep 60', never, 2_000)).rejects.toThrow('was not ready after 2 s');
    const pid = Number(await readFile(join(folder, `${count}.log`), 'utf8'));
    expect(() => process.kill(pid, 0)).toThrow('ESRCH');
  });

  it('writes its output to a file', async () => {
    const child = await startShell('echo to stdout; echo to stderr >&2; sleep 60');
    await expect.poll(() => readFile(child.logFile, 'utf8'), PATIENCE).toBe('to stdout\nto stderr\n');
    await child.stop();
  });

  it('is asked to stop first, and may end in order', async () => {
    const child = await startShell('trap "exit 7" TERM; echo trapped; while :; do sleep 0.01; done');
    await expect.poll(() => readFile(child.logFile, 'utf8'), PATIENCE).toBe('trapped\n');
    await child.stop();
    expect(await child.ended).toBe('exit status 7');
    expect(child.isRunning()).toBe(false);
  });

  it('is killed with what it started when it does not stop in time', async () => {
    const child = await startShell('trap "" TERM; sleep 60 & echo $!; wait; wait');
    await expect.poll(() => readFile(child.logFile, 'utf8'), PATIENCE).toMatch(/\d+/);
    const grandchild = Number(await readFile(child.logFile, 'utf8'));
    await child.stop(100);
    expect(await child.ended).toBe('SIGKILL');
    await expect.poll(() => isGone(grandchild), PATIENCE).toBe(true);
  });

  it('may be stopped again after its end', async () => {
    const child = await startShell('sleep 60');
    await child.stop();
    await child.stop();
    await child.kill('SIGKILL');
    expect(child.isRunning()).toBe(false);
  });
});

/** A killed orphan stays a zombie until the first process of the system collects it. */
async function isGone(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  return stat === undefined || / Z /.test(stat);
}

describe('free ports', () => {
  it('are all different', async () => {
    expect(new Set(await freePorts(20)).size).toBe(20);
  });

  it('are told from taken ones', async () => {
    const server = createServer();
    const [port = 0] = await freePorts(1);
    expect(await isPortFree(port)).toBe(true);
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    expect(await isPortFree(port)).toBe(false);
    server.close();
  });
});
