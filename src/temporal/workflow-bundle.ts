// The workflow code as one bundle: prebuilt in the image, made at start in a checkout and kept by a hash of its sources.
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { WorkflowBundleOption } from '@temporalio/worker';
import type { Log } from '../telemetry/log.ts';
import { failureConverterPath } from './converter.ts';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
/** Beside the compiled code, where bundle-workflows.ts put it; not the name of a module, this one's least of all. */
const PREBUILT = './workflows.bundle.js';
const KEPT_BUNDLES = 5;
/** All that workflows may import as values; a check in CI holds this. */
const SOURCES = ['workflows', 'recording', 'fleet', 'common'];

export async function loadWorkflowBundle(log: Log): Promise<WorkflowBundleOption> {
  const prebuilt = here(PREBUILT);
  if (existsSync(prebuilt)) return { codePath: prebuilt };
  const sinceMs = performance.now();
  const cached = join(here('../../node_modules/.cache/reelkit/'), `workflows-${await sourceHash()}.js`);
  if (!existsSync(cached)) {
    await bundleTo(cached);
    await forgetOld(dirname(cached));
    log.info({ durationMs: Math.round(performance.now() - sinceMs) }, 'workflows bundled');
  }
  return { codePath: cached };
}

/** Each edit of a workflow leaves a bundle behind; a few are kept for switching branches. */
async function forgetOld(folder: string): Promise<void> {
  const names = (await readdir(folder)).filter((name) => /^workflows-.*\.js$/.test(name));
  const aged = await Promise.all(names.map(async (name) => ({ name, atMs: (await stat(join(folder, name))).mtimeMs })));
  const old = aged.sort((one, other) => other.atMs - one.atMs).slice(KEPT_BUNDLES);
  await Promise.all(old.map(({ name }) => rm(join(folder, name), { force: true })));
}

export function prebuild(): Promise<void> {
  return bundleTo(here(PREBUILT));
}

/** Never leaves a half-written bundle: two processes may do this at once. */
async function bundleTo(path: string): Promise<void> {
  const { bundleWorkflowCode } = await import('@temporalio/worker');
  const quiet = { log() {}, trace() {}, debug() {}, info() {}, warn() {}, error() {} };
  const { code } = await bundleWorkflowCode({
    workflowsPath: workflowsPath(),
    failureConverterPath: failureConverterPath(),
    logger: quiet,
  });
  const unfinished = `${path}.${process.pid}`;
  await mkdir(dirname(path), { recursive: true });
  await writeFile(unfinished, code);
  await rename(unfinished, path);
}

/** The same code runs from the sources and compiled. */
function workflowsPath(): string {
  const source = here('../workflows/index.ts');
  return existsSync(source) ? source : here('../workflows/index.js');
}

async function sourceHash(): Promise<string> {
  const hash = createHash('sha256');
  const sdk = JSON.parse(await readFile(here('../../node_modules/@temporalio/worker/package.json'), 'utf8')) as {
    version: string;
  };
  hash.update(sdk.version);
  for (const folder of SOURCES) {
    const names = (await readdir(here(`../${folder}`))).filter((name) => name.endsWith('.ts')).sort();
    for (const name of names) hash.update(`\n${folder}/${name}\n`).update(await readFile(here(`../${folder}/${name}`)));
  }
  return hash.digest('hex').slice(0, 20);
}
