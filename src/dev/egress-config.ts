// The egress workers' configuration file, in livekit/egress's own keys, so that it serves the real worker and the stand-in.
// health_port, prometheus_port and template_port differ for each worker: the capacity provider sets them.

import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { stringify } from 'yaml';
import { type CostTable, DEFAULT_COSTS, MAX_CPU_UTILIZATION } from '../fleet/cost.ts';

export interface EgressConfigOptions {
  livekit: { url: string; apiKey: string; apiSecret: string };
  redis: { address: string };
  /** CPU cores that admission charges; must equal `fleet.costs` of Reelkit's own configuration. */
  costs?: Partial<CostTable>;
  logLevel?: 'debug' | 'info' | 'warn' | 'error';
  /** More of the worker's own keys, for instance `session_limits`. */
  extra?: Record<string, unknown>;
}

export async function writeEgressConfig(file: string, options: EgressConfigOptions): Promise<string> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, egressConfig(options), { mode: 0o600 });
  return file;
}

export function egressConfig({
  livekit,
  redis,
  costs = {},
  logLevel = 'info',
  extra = {},
}: EgressConfigOptions): string {
  const cores: CostTable = { ...DEFAULT_COSTS, ...costs };
  return stringify({
    api_key: livekit.apiKey,
    api_secret: livekit.apiSecret,
    ws_url: livekit.url,
    redis: { address: redis.address },
    logging: { level: logLevel, json: true },
    // Chrome may load the template and join over ws:// on this machine.
    insecure: true,
    cpu_cost: {
      max_cpu_utilization: MAX_CPU_UTILIZATION,
      room_composite_cpu_cost: cores.roomComposite,
      audio_room_composite_cpu_cost: cores.audioRoomComposite,
      web_cpu_cost: cores.web,
      audio_web_cpu_cost: cores.audioWeb,
      participant_cpu_cost: cores.participant,
      track_composite_cpu_cost: cores.trackComposite,
      track_cpu_cost: cores.track,
    },
    ...extra,
  });
}
