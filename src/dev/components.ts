// Finds the parts of the local stack, and installs the ones that are missing: PATH, cache, then the sources of the catalog.
// It never prompts and never replaces what a person installed.
import { delimiter, join } from 'node:path';
import { execa } from 'execa';
import { messageOf } from '../common/error-message.ts';
import { type Component, type ComponentName, catalog, currentPlatform, type Source } from './components/catalog.ts';
import {
  describeSource,
  fillFolder,
  installDebianPackage,
  remedyFor,
  repositoryRoot,
  whyUnusable,
} from './components/sources.ts';
import { cacheRoot, ensureCacheIsWritable, hashOfFolder, installOnce, isExecutable } from './components/store.ts';
import { formatVersion, isAtLeast, parseVersion, type Version } from './components/version.ts';
import type { Report } from './reporter.ts';

export { awsComponentNames, type ComponentName, clusterComponentNames, componentNames } from './components/catalog.ts';

export interface Installed {
  name: ComponentName;
  path: string;
  version: string;
  from: string;
  seconds: number;
}

export async function ensureComponents<N extends ComponentName>(
  names: readonly N[],
  report: Report,
): Promise<Record<N, string>> {
  const installed = await installComponents(names, report);
  return Object.fromEntries(installed.map(({ name, path }) => [name, path])) as Record<N, string>;
}

/** The stand-in worker, whatever REELKIT_EGRESS_BIN and PATH hold: tests need its switches. */
export async function ensureStandIn(report: Report): Promise<string> {
  const { egress } = catalog(currentPlatform());
  const standIn = { ...egress, sources: egress.sources.filter(({ kind }) => kind === 'go') };
  const { path } = (await findInCache(standIn)) ?? (await install(standIn, report));
  return path;
}

/** All of them at the same time; waits for each before it fails, so that nothing goes on installing behind an error. */
export async function installComponents(names: readonly ComponentName[], report: Report): Promise<Installed[]> {
  const components = catalog(currentPlatform());
  const results = await Promise.allSettled(names.map((name) => ensureComponent(components[name], report)));
  const failures = results.flatMap((result) => (result.status === 'rejected' ? [messageOf(result.reason)] : []));
  if (failures.length > 0) throw new Error(failures.join('\n'));
  return results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
}

async function ensureComponent(component: Component, report: Report): Promise<Installed> {
  const startedAt = performance.now();
  const { path, from } =
    (await findNamed(component)) ??
    (await findOnPath(component)) ??
    (await findInCache(component)) ??
    (await install(component, report));
  const version = await versionOf(component, path);
  return {
    name: component.name,
    path,
    version: version ? formatVersion(version) : await cacheVersion(component),
    from,
    seconds: (performance.now() - startedAt) / 1000,
  };
}

interface Found {
  path: string;
  from: string;
}

async function findNamed({ variable }: Component): Promise<Found | undefined> {
  const path = variable ? process.env[variable] : undefined;
  if (!variable || !path) return undefined;
  if (await isExecutable(path)) return { path, from: variable };
  throw new Error(`${variable} names ${path}, which is not an executable file: correct it, or unset ${variable}`);
}

async function findOnPath(component: Component): Promise<Found | undefined> {
  for (const folder of (process.env.PATH ?? '').split(delimiter).filter((entry) => entry.startsWith('/'))) {
    const path = join(folder, component.name);
    if ((await isExecutable(path)) && (await isAcceptable(component, path))) return { path, from: 'PATH' };
  }
  return undefined;
}

async function findInCache(component: Component): Promise<Found | undefined> {
  for (const source of component.sources) {
    const path = join(cacheRoot(), await cacheKey(component, source), component.name);
    if (await isExecutable(path)) return { path, from: 'cache' };
  }
  return undefined;
}

async function install(component: Component, report: Report): Promise<Found> {
  const attempts: string[] = [];
  const remedies: string[] = [];
  if (component.sources.some((source) => source.kind !== 'apt')) await ensureCacheIsWritable();
  for (const source of component.sources) {
    const obstacle = await whyUnusable(source);
    if (obstacle === undefined) {
      report(`${component.name}: ${describeSource(source)} …`);
      try {
        return { path: await installFrom(source, component, report), from: describeSource(source) };
      } catch (error) {
        attempts.push(`  ${describeSource(source)}: ${messageOf(error)}`);
      }
    } else {
      attempts.push(`  ${describeSource(source)}: ${obstacle}`);
      remedies.push(`  - ${remedyFor(source)}`);
    }
  }
  if (component.variable) remedies.push(`  - set ${component.variable} to a binary you have`);
  throw new Error(explainFailure(component, attempts, remedies));
}

async function installFrom(source: Source, component: Component, report: Report): Promise<string> {
  if (source.kind === 'apt') {
    await installDebianPackage(source);
    const found = await findOnPath(component);
    if (!found) throw new Error(`the package is installed, but brought no ${component.name} that runs`);
    return found.path;
  }
  const key = await cacheKey(component, source);
  return installOnce(key, component.name, (folder) => fillFolder(source, component, folder), report);
}

function explainFailure(component: Component, attempts: string[], remedies: string[]): string {
  const what = `${component.name} is not on PATH${wanted(component.minimum)} and could not be installed:`;
  return [what, ...attempts, ...(remedies.length > 0 ? ['one of these helps:', ...remedies] : [])].join('\n');
}

function wanted(minimum: Version | undefined): string {
  return minimum ? ` (${formatVersion(minimum)} or newer)` : '';
}

async function cacheKey(component: Component, source: Source): Promise<string> {
  if (source.kind === 'image') return `${component.name}-${source.image.replace(/[^\w.]+/g, '-')}`;
  return `${component.name}-${await cacheVersion(component)}`;
}

async function cacheVersion({ version }: Component): Promise<string> {
  return typeof version === 'string' ? version : hashOfFolder(join(repositoryRoot, version.hashOf));
}

async function isAcceptable(component: Component, path: string): Promise<boolean> {
  if (component.versionArgs.length === 0) return true;
  const version = await versionOf(component, path);
  return version !== undefined && (component.minimum === undefined || isAtLeast(version, component.minimum));
}

async function versionOf({ versionArgs }: Component, path: string): Promise<Version | undefined> {
  if (versionArgs.length === 0) return undefined;
  const result = await execa(path, versionArgs, { reject: false, all: true, stdin: 'ignore', timeout: 15_000 });
  return result.exitCode === 0 ? parseVersion(result.all) : undefined;
}
