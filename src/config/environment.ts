// Variables of the environment that stand for keys of the file, and win over it.
import { capacityVariables } from '../capacity/registry.ts';
import { setAt, valueAt } from './raw.ts';

/** Environment variable -> key of the file. */
const ENVIRONMENT: Record<string, string> = {
  LIVEKIT_URL: 'livekit.url',
  LIVEKIT_API_KEY: 'livekit.apiKey',
  LIVEKIT_API_SECRET: 'livekit.apiSecret',
  LIVEKIT_REDIS_ADDRESS: 'livekit.redis.address',
  LIVEKIT_REDIS_USERNAME: 'livekit.redis.username',
  LIVEKIT_REDIS_PASSWORD: 'livekit.redis.password',
  WORKERS_REDIS_ADDRESS: 'workers.redis.address',
  WORKERS_REDIS_USERNAME: 'workers.redis.username',
  WORKERS_REDIS_PASSWORD: 'workers.redis.password',
  REELKIT_TASK_QUEUE: 'temporal.taskQueue',
  REELKIT_HEALTH_PORT: 'temporal.healthPort',
  REELKIT_HOST: 'api.host',
  REELKIT_PORT: 'api.port',
  REELKIT_LOG_LEVEL: 'logLevel',
  REELKIT_MIN_WORKERS: 'fleet.minWorkers',
  REELKIT_MAX_WORKERS: 'fleet.maxWorkers',
  REELKIT_HEADROOM_CORES: 'fleet.headroomCores',
  REELKIT_COOLDOWN: 'fleet.cooldown',
  REELKIT_ENCRYPTION_KEY_FILE: 'encryption.keyFile',
};

const NUMBERS = new Set([
  'temporal.healthPort',
  'api.port',
  'fleet.minWorkers',
  'fleet.maxWorkers',
  'fleet.headroomCores',
]);

/** @returns which variable set which key */
export function applyEnvironment(raw: Record<string, unknown>, env: NodeJS.ProcessEnv): Map<string, string> {
  const origins = new Map<string, string>();
  for (const [variable, key] of Object.entries(ENVIRONMENT)) {
    const value = env[variable];
    if (value === undefined || value === '') continue;
    setAt(raw, key.split('.'), NUMBERS.has(key) ? numberIn(value) : value);
    origins.set(key, variable);
  }
  for (const path of capacities(raw)) {
    for (const [variable, key] of Object.entries(capacityVariables(valueAt(raw, [...path, 'provider'])))) {
      const value = env[variable];
      if (value === undefined || value === '') continue;
      setAt(raw, [...path, ...key.split('.')], value);
      origins.set([...path, key].join('.'), variable);
    }
  }
  const keys = env.REELKIT_ENCRYPTION_KEYS;
  if (keys) {
    setAt(raw, ['encryption', 'keys'], keys.split(',').map(encryptionKey));
    origins.set('encryption.keys', 'REELKIT_ENCRYPTION_KEYS');
  }
  return origins;
}

/** Text that is no number stays what it is, and is refused as such. */
function numberIn(text: string): number | string {
  return /^-?\d+(\.\d+)?$/.test(text.trim()) ? Number(text) : text;
}

/** Variables that stand for a key of the one fleet. */
export function fleetVariables(env: NodeJS.ProcessEnv): string[] {
  return Object.keys(ENVIRONMENT).filter((variable) => ENVIRONMENT[variable]?.startsWith('fleet.') && env[variable]);
}

function capacities(raw: Record<string, unknown>): string[][] {
  const several = Array.isArray(raw.fleets) ? raw.fleets.map((_, index) => ['fleets', String(index)]) : [];
  return [['fleet'], ...several].map((path) => [...path, 'capacity']);
}

function encryptionKey(text: string): { id: string; key: string } {
  const [id = '', ...key] = text.trim().split(':');
  return { id, key: key.join(':') };
}

export function variableFor(key: string): string | undefined {
  return Object.entries(ENVIRONMENT).find(([, target]) => target === key)?.[0];
}
