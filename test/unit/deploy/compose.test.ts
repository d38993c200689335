// Rules for docker-compose.yml that no schema knows: pinned images, order of start, no secret written down, nothing open that
// need not be. The official loader reads the same file in test/contract/deploy.
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { parseConfig } from '../../../src/config/load.ts';
import { SEARCH_ATTRIBUTES } from '../../../src/recording/search-attributes.ts';

interface Service {
  image: string;
  build?: string;
  restart: string;
  command?: string[];
  environment?: Record<string, string>;
  volumes?: string[];
  ports?: string[];
  healthcheck?: { test: string[] };
  depends_on?: Record<string, { condition: string }>;
}

const root = resolve(import.meta.dirname, '../../..');
const read = (path: string) => readFileSync(resolve(root, path), 'utf8');
const text = read('docker-compose.yml');
const { services } = parse(text, { merge: true }) as { services: Record<string, Service> };
const entries = Object.entries(services);
const isOneShot = ({ restart }: Service) => restart === 'no';
const longRunning = entries.filter(([, service]) => !isOneShot(service));
const service = (name: string): Service => {
  const found = services[name];
  if (!found) throw new Error(`docker-compose.yml has no service ${name}`);
  return found;
};

describe('docker-compose.yml', () => {
  test('holds the whole house', () => {
    expect(Object.keys(services)).toEqual([
      'postgres',
      'temporal-schema',
      'temporal',
      'temporal-namespace',
      'temporal-ui',
      'redis',
      'workers-redis',
      'livekit',
      'recordings-folder',
      'egress',
      'reelkit',
      'reelkit-2',
    ]);
  });

  test.each(entries)('%s has an image with a full version', (_, { image }) => {
    expect(image).toMatch(/:v?\d+\.\d+\.?\d*(-[a-z]+)?$/);
    expect(image).not.toContain('auto-setup');
  });

  test.each(entries)('%s restarts by itself, or runs once and is waited for', (name, one) => {
    if (!isOneShot(one)) return expect(one.restart).toBe('unless-stopped');
    const waiting = entries.filter(([, { depends_on }]) => depends_on?.[name]?.condition.endsWith('_successfully'));
    expect(waiting.length).toBeGreaterThan(0);
  });

  test.each(longRunning)('%s has a healthcheck', (_, { build, healthcheck }) => {
    if (build !== undefined) expect(read('Dockerfile')).toMatch(/^HEALTHCHECK /m);
    else expect(healthcheck?.test.length).toBeGreaterThan(1);
  });

  test('waits for one-shots to succeed and for services to be healthy', () => {
    for (const [name, { depends_on = {} }] of entries) {
      for (const [other, { condition }] of Object.entries(depends_on)) {
        const wanted = isOneShot(service(other)) ? 'service_completed_successfully' : 'service_healthy';
        expect({ name, other, condition }).toEqual({ name, other, condition: wanted });
      }
    }
  });

  test('refuses to start without its three secrets, and names the example', () => {
    const required = [...text.matchAll(/\$\{([A-Z_]+):\?([^}]*)\}/g)];
    expect(new Set(required.map(([, name]) => name))).toEqual(
      new Set(['POSTGRES_PASSWORD', 'LIVEKIT_API_KEY', 'LIVEKIT_API_SECRET']),
    );
    for (const [, , message] of required) expect(message).toBe('set it in .env, see deploy/compose/.env.example');
  });

  test('has no secret written down, nor has the example', () => {
    for (const [name, { environment = {} }] of entries) {
      for (const [variable, value] of Object.entries(environment)) {
        if (/PASSWORD|PWD|SECRET|KEYS?$/.test(variable))
          expect(`${name} ${value}`).toMatch(/^\S+ \$\{[A-Z_]+:\?[^}]+\}/);
      }
    }
    for (const line of read('deploy/compose/.env.example').split('\n')) {
      if (/^[A-Z]/.test(line)) expect(line).toMatch(/^[A-Z_]+=$/);
    }
  });

  test('reads no variable that the example does not explain', () => {
    const known = new Set([...read('deploy/compose/.env.example').matchAll(/^#?([A-Z_]+)=/gm)].map(([, name]) => name));
    for (const [, name] of text.matchAll(/\$\{([A-Z_]+)[:}]/g)) expect(known).toContain(name);
  });

  test('opens every port on this machine alone; LiveKit can be opened on purpose', () => {
    for (const [name, { ports = [] }] of entries) {
      const address = name === 'livekit' ? /^\$\{LIVEKIT_BIND_ADDRESS:-127\.0\.0\.1\}:/ : /^127\.0\.0\.1:/;
      for (const port of ports) expect(port).toMatch(address);
    }
  });

  test('publishes neither databases nor the worker', () => {
    for (const name of ['postgres', 'redis', 'workers-redis', 'egress']) expect(service(name).ports).toBeUndefined();
  });

  test('mounts only files that exist', () => {
    const files = entries.flatMap(([, { volumes = [] }]) => volumes).filter((volume) => volume.startsWith('./'));
    expect(files.length).toBeGreaterThan(0);
    for (const file of files) expect(existsSync(resolve(root, file.split(':')[0] ?? ''))).toBe(true);
  });
});

describe('the configuration that docker-compose.yml gives Reelkit', () => {
  const env: Record<string, string> = {
    ...service('reelkit').environment,
    LIVEKIT_API_KEY: 'key',
    LIVEKIT_API_SECRET: 'secret',
  };
  const config = parseConfig(parse(read('deploy/compose/reelkit.yaml')), env);
  const worker = parse(service('egress').environment?.EGRESS_CONFIG_BODY ?? '') as Record<string, unknown>;

  test('is valid and mounted where REELKIT_CONFIG says', () => {
    expect(config.livekit.url).toBe('ws://livekit:7880');
    expect(service('reelkit').volumes).toContain(`./deploy/compose/reelkit.yaml:${env.REELKIT_CONFIG}:ro`);
  });

  test('gives two processes the same configuration, key and environment', () => {
    const { ports: _, ...first } = service('reelkit');
    const { ports, ...second } = service('reelkit-2');
    expect(second).toEqual(first);
    expect(ports).toEqual([`127.0.0.1:8081:${config.api.port}`]);
  });

  test("meets LiveKit on LiveKit's Redis, and the worker on another, under the name that it listens to", () => {
    const livekit = parse(service('livekit').environment?.LIVEKIT_CONFIG ?? '') as { redis: unknown };
    expect(livekit.redis).toEqual({ address: config.livekit.redis.address });
    expect(worker.redis).toEqual({ address: config.workers.redis.address });
    expect(config.workers.redis.address).not.toBe(config.livekit.redis.address);
    expect(config.fleets[0].capacity).toMatchObject({ workers: [{ id: worker.cluster_id }] });
    expect(service('egress').depends_on).not.toHaveProperty('redis');
  });

  test('lists the one worker with its ports and its cores', () => {
    expect(config.fleets[0].capacity).toEqual({
      provider: 'static',
      workers: [
        {
          id: 'egress',
          healthUrl: `http://egress:${worker.health_port}`,
          metricsUrl: `http://egress:${worker.prometheus_port}`,
          cpuCores: Number(service('egress').environment?.LIVEKIT_CPU_REQUEST),
        },
      ],
    });
  });

  test('keeps the encryption key in a volume, and lets the Web UI that is here ask for payloads', () => {
    expect(read('Dockerfile')).toContain('STATE_DIRECTORY=/var/lib/reelkit');
    expect(service('reelkit').volumes).toContain('reelkit-state:/var/lib/reelkit');
    const [address, port] = /^(127\.0\.0\.1):(\d+):/.exec(service('temporal-ui').ports?.[0] ?? '')?.slice(1) ?? [];
    expect(config.encryption.uiOrigins).toEqual([`http://${address}:${port}`]);
    expect(service('temporal-ui').environment?.TEMPORAL_CODEC_ENDPOINT).toBe(
      `http://127.0.0.1:${config.api.port}/codec`,
    );
  });

  test('records into the volume that the worker has', () => {
    expect(config.storages).toMatchObject({ local: { type: 'local', path: '/recordings' } });
    expect(service('egress').volumes?.[0]).toMatch(/^\$\{RECORDINGS:-recordings\}:\/recordings$/);
  });

  test('hears from LiveKit when rooms open and close', () => {
    expect(service('livekit').environment?.LIVEKIT_CONFIG).toContain(
      `http://reelkit:${config.api.port}/webhooks/livekit`,
    );
  });

  test('listens inside the container where the port is published', () => {
    expect(config.api.host).toBe('0.0.0.0');
    expect(service('reelkit').ports).toEqual([`127.0.0.1:8080:${config.api.port}`]);
  });
});

describe('deploy/compose/temporal-namespace.sh', () => {
  test('creates exactly the search attributes that recordings use', () => {
    const created = [...read('deploy/compose/temporal-namespace.sh').matchAll(/^create (\w+) (\w+)$/gm)];
    expect(Object.fromEntries(created.map(([, name, type]) => [name, type]))).toEqual(SEARCH_ATTRIBUTES);
  });
});
