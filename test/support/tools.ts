// Programs that only tests need, built from tools/ once for each state of their source and kept in the cache of components.
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { repositoryRoot } from '../../src/dev/components/sources.ts';
import { hashOfFolder, installOnce } from '../../src/dev/components/store.ts';

export const toolFolder = (name: string) => join(repositoryRoot, 'tools', name);

/** @returns the binary of a Go module in tools/, or of the package that the module only names */
export function buildGoTool(name: string, goPackage = '.'): Promise<string> {
  return once(name, name, async (folder) => {
    const args = ['build', '-trimpath', '-buildvcs=false', '-o', join(folder, name), goPackage];
    await execa('go', args, { cwd: toolFolder(name), env: { CGO_ENABLED: '0', GOWORK: 'off' } });
  });
}

/** @returns the binary with the tests of a package that a Go module in tools/ needs, as its authors published them */
export function buildPublishedGoTests(name: string, goPackage: string): Promise<string> {
  return once(`${name}-tests`, name, async (folder) => {
    const args = ['test', '-c', '-trimpath', '-o', join(folder, `${name}-tests`), goPackage];
    await execa('go', args, { cwd: toolFolder(name), env: { CGO_ENABLED: '0', GOWORK: 'off' } });
  });
}

/** @returns the binary of a Rust package in tools/ */
export function buildRustTool(name: string): Promise<string> {
  return once(name, name, async (folder) => {
    const target = join(folder, 'target');
    await execa('cargo', ['build', '--release', '--locked', '--target-dir', target], { cwd: toolFolder(name) });
    await copyFile(join(target, 'release', name), join(folder, name));
    await execa('rm', ['-rf', target]);
  });
}

export async function hasGo(): Promise<boolean> {
  return (await execa('go', ['version'], { reject: false, stdin: 'ignore' })).exitCode === 0;
}

export async function hasCargo(): Promise<boolean> {
  return (await execa('cargo', ['--version'], { reject: false, stdin: 'ignore' })).exitCode === 0;
}

async function once(binary: string, tool: string, build: (folder: string) => Promise<void>): Promise<string> {
  return installOnce(`${binary}-${await hashOfFolder(toolFolder(tool))}`, binary, build, () => {});
}
