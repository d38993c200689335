// The storages: a small test object goes into each whose keys, or whose disk, Reelkit has, and out again.
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Storage } from '../../config/storages.ts';
import { type CheckResult, failed, passed, warned } from './result.ts';
import { type S3Options, type S3Storage, tryBucket } from './s3.ts';
import { verdictOf } from './s3-remedies.ts';

/** @param workersAreHere some workers are processes of this machine, and write to its disk */
export function checkStorages(
  storages: Record<string, Storage>,
  workersAreHere: boolean,
  options: S3Options = {},
): Promise<CheckResult[]> {
  return Promise.all(
    Object.entries(storages).map(([name, storage]) => checkStorage(name, storage, { ...options, workersAreHere })),
  );
}

async function checkStorage(
  name: string,
  storage: Storage,
  { workersAreHere, ...options }: S3Options & { workersAreHere: boolean },
): Promise<CheckResult> {
  const label = `storage ${name}`;
  const untested = (why: string) => passed(label, `${storage.type}, not tested: ${why}`);
  switch (storage.type) {
    case 'worker':
      return untested("it stands in the workers' own configuration");
    case 'local':
      return workersAreHere
        ? checkFolder(label, name, storage.path)
        : untested(`${storage.path} is on the workers' disks`);
    case 'gcs':
    case 'azure':
      return untested(`doctor has no client for it. The first recording tells whether its keys are right`);
    case 's3':
      return storage.workerIdentity
        ? untested("the identity is the workers', and only they have it")
        : checkBucket(label, name, storage, options);
  }
}

async function checkBucket(label: string, name: string, storage: S3Storage, options: S3Options): Promise<CheckResult> {
  const key = [storage.prefix.replace(/\/$/, ''), testName()].filter((part) => part !== '').join('/');
  const { kind, detail } = verdictOf(await tryBucket(storage, key, options), `storages.${name}`);
  const told = `bucket ${storage.bucket}: ${detail}`;
  return { failed, warned, passed }[kind](label, told);
}

/** A folder that is not there is made by the worker: whoever may write beside it may do so. */
async function checkFolder(label: string, name: string, path: string): Promise<CheckResult> {
  const folder = nearestFolder(path);
  const file = join(folder, testName());
  const remedy = `let the workers' user write to storages.${name}.path, ${path}`;
  try {
    const text = file;
    await writeFile(file, text, { flag: 'wx' });
    if ((await readFile(file, 'utf8')) !== text) return failed(label, `${file} reads otherwise than it was written`);
  } catch (error) {
    return failed(label, `${file} cannot be written (${codeOf(error)}): ${remedy}`);
  } finally {
    await rm(file, { force: true }).catch(() => undefined);
  }
  if (existsSync(file)) return warned(label, `${file} could not be deleted: delete it by hand`);
  const made = folder === path ? '' : `; ${path} will be created`;
  return passed(label, `a test file was written to ${folder}, read and deleted${made}`);
}

function testName(): string {
  return `.reelkit-doctor-${randomBytes(8).toString('hex')}`;
}

function nearestFolder(path: string): string {
  return existsSync(path) ? path : nearestFolder(dirname(path));
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
}
