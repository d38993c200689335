// Reading and comparing the versions that binaries print. Pure: no process is started here.

export type Version = readonly [major: number, minor: number, patch: number];

/** The first dotted number in the text: `temporal version 1.9.1 (Server 1.32.0 …)`, `Redis server v=7.0.15 …`. */
export function parseVersion(text: string): Version | undefined {
  const match = /(\d+)\.(\d+)(?:\.(\d+))?/.exec(text);
  return match ? [Number(match[1]), Number(match[2]), Number(match[3] ?? 0)] : undefined;
}

export function isAtLeast(version: Version, minimum: Version): boolean {
  for (const i of [0, 1, 2] as const) {
    if (version[i] !== minimum[i]) return version[i] > minimum[i];
  }
  return true;
}

export function formatVersion(version: Version): string {
  return version.join('.');
}
