// Runs launch-and-hang.ts and kills it; and the fleet's configuration from what a user would write.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { FleetConfig, FleetConfigInput } from '../../../src/config/fleet.ts';
import { parseConfig } from '../../../src/config/load.ts';
import type { ConfigInput } from '../../../src/config/schema.ts';

const script = fileURLToPath(new URL('./launch-and-hang.ts', import.meta.url));

export function fleetWith(capacity: FleetConfigInput['capacity']): FleetConfig {
  return parseConfig({
    livekit: { url: 'ws://127.0.0.1', apiKey: 'key', apiSecret: 'secret', redis: { address: '127.0.0.1:6379' } },
    workers: { redis: { address: '127.0.0.1:6380' } },
    storages: { local: { type: 'local', path: '/recordings' } },
    fleet: { capacity },
  } satisfies ConfigInput).fleets[0];
}

/** @param until what it has said when it is killed */
export async function launchAndKill(
  fleet: FleetConfig,
  count: number,
  token: string,
  until: 'launching' | 'launched' = 'launching',
): Promise<void> {
  const args = ['--fleet', JSON.stringify(fleet), '--count', String(count), '--token', token];
  const child = spawn(process.execPath, ['--import', 'tsx', script, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  for await (const said of child.stdout) if (String(said).includes(until)) break;
  child.kill('SIGKILL');
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}
