// What the image runs: the compiled service on plain Node, with the packages that `npm ci --omit=dev` leaves, and nothing of the demo.
import { existsSync } from 'node:fs';
import { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const root = resolve(import.meta.dirname, '../../..');
/** Not in the image: they build, run sources, or start the local stack. */
const DEVELOPMENT_ONLY = ['tsx', 'execa', 'typescript', 'vitest', 'esbuild'];

interface Lock {
  packages: Record<string, { dev?: boolean; optional?: boolean }>;
}

/** As `npm ci --omit=dev` does: by the lock file alone. Outside the checkout, so that nothing is found in its own packages. */
async function installProduction(folder: string): Promise<void> {
  const lock = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8')) as Lock;
  const names = Object.entries(lock.packages).filter(([path, { dev }]) => path !== '' && !dev);
  // What lies in another package comes with it; what is for another platform is not there.
  const paths = names
    .map(([path]) => path)
    .filter((path) => path.lastIndexOf('node_modules/') === 0 && existsSync(join(root, path)));
  // Links are quick; on another file system, or with another cp, copies will do.
  const linked = await execa('cp', ['-al', '--parents', ...paths, folder], { cwd: root, reject: false });
  if (linked.exitCode !== 0)
    for (const path of paths) await cp(join(root, path), join(folder, path), { recursive: true, force: true });
  await execa('cp', [join(root, 'package.json'), folder]);
}

describe('the compiled service', () => {
  let folder: string;
  const dist = (...path: string[]) => join(folder, 'dist', ...path);
  const node = (args: string[], env: Record<string, string> = {}) =>
    execa('node', args, { cwd: folder, env: { PATH: process.env.PATH, ...env }, extendEnv: false, reject: false });

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'reelkit-image-'));
    await installProduction(folder);
    await execa('node_modules/.bin/tsc', ['-p', 'tsconfig.build.json', '--outDir', dist()], { cwd: root });
    await execa('node', [dist('temporal', 'bundle-workflows.js')], { cwd: folder });
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test('has none of the packages and none of the code of development and demo', () => {
    expect(DEVELOPMENT_ONLY.filter((name) => existsSync(join(folder, 'node_modules', name)))).toEqual([]);
    const left = ['demo', 'dev', 'checkout.js', 'cli/demo.js', 'cli/dev.js'];
    expect(left.filter((path) => existsSync(dist(path)))).toEqual([]);
  });

  test('finds every package that any of its modules imports', async () => {
    const files = await readdir(dist(), { recursive: true });
    // Those two do something when they are loaded.
    const isLibrary = (path: string) => !/^main\.js$|bundle|^workflows\/|\/workflows\//.test(path);
    const modules = files.filter((path) => path.endsWith('.js') && isLibrary(path));
    expect(modules.length).toBeGreaterThan(100);
    const script = `
      const failed = [];
      for (const path of ${JSON.stringify(modules)})
        await import('./dist/' + path).catch((error) => failed.push(path + ': ' + error.message));
      console.log(JSON.stringify(failed));
      process.exit(0);`;
    const { stdout, stderr } = await node(['--input-type=module', '-e', script]);
    expect(JSON.parse(stdout || `["${stderr.slice(0, 500)}"]`)).toEqual([]);
  });

  test('names its commands, and none that needs a checkout', async () => {
    const { stdout } = await node([dist('main.js'), '--help']);
    expect(stdout).toContain('serve');
    expect(stdout).toContain('record');
    expect(stdout).not.toMatch(/^ +(demo|dev) /m);
    const { exitCode, stderr } = await node([dist('main.js'), 'demo']);
    expect({ exitCode, stderr }).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining("unknown command 'demo'"),
    });
  });

  test('names what is missing when it is started without a configuration', async () => {
    const started = await node([dist('main.js'), 'serve']);
    expect(started.exitCode).not.toBe(0);
    expect(`${started.stdout}${started.stderr}`).toContain('livekit.url is missing');
  });

  test('finds the bundle that was made for it, and not its own compiled code', async () => {
    const script = `const { loadWorkflowBundle } = await import('./dist/temporal/workflow-bundle.js'); console.log((await loadWorkflowBundle(console)).codePath);`;
    const { stdout } = await node(['--input-type=module', '-e', script]);
    expect(stdout.startsWith(folder)).toBe(true);
    expect(await readFile(stdout, 'utf8')).toContain('__TEMPORAL__');
  });
});

test('a checkout has the commands that start the local stack', async () => {
  const { stdout } = await execa(join(root, 'bin/reelkit'), ['--help']);
  for (const command of ['serve', 'record', 'demo', 'dev']) expect(stdout).toMatch(new RegExp(`^ +${command}\\b`, 'm'));
});
