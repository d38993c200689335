// What the image runs: the compiled JavaScript starts on plain Node, answers --help, and finds the workflow bundle made for it.
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const root = resolve(import.meta.dirname, '../../..');

describe('the compiled service', () => {
  let folder: string;

  beforeAll(async () => {
    // Inside the checkout, so that the packages are found; ignored by Git.
    await mkdir(join(root, 'dist'), { recursive: true });
    folder = await mkdtemp(join(root, 'dist', 'test-'));
    await execa('node_modules/.bin/tsc', ['-p', 'tsconfig.build.json', '--outDir', folder], { cwd: root });
    await execa('node', [join(folder, 'temporal', 'bundle-workflows.js')]);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test('makes a main.js that names the commands', async () => {
    const { stdout } = await execa('node', [join(folder, 'main.js'), '--help']);
    expect(stdout).toContain('serve');
    expect(stdout).toContain('record');
  });

  test('names what is missing when it is started without a configuration', async () => {
    const started = await execa('node', [join(folder, 'main.js'), 'serve'], {
      env: { PATH: process.env.PATH },
      extendEnv: false,
      reject: false,
    });
    expect(started.exitCode).not.toBe(0);
    expect(`${started.stdout}${started.stderr}`).toContain('livekit.url is missing');
  });

  test('finds the bundle that was made for it, and not its own compiled code', async () => {
    const loader = JSON.stringify(join(folder, 'temporal', 'workflow-bundle.js'));
    const script = `const { loadWorkflowBundle } = await import(${loader}); console.log((await loadWorkflowBundle(console)).codePath);`;
    const { stdout } = await execa('node', ['--input-type=module', '-e', script]);
    expect(stdout.startsWith(folder)).toBe(true);
    expect(await readFile(stdout, 'utf8')).toContain('__TEMPORAL__');
  });
});
