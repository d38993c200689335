import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { parseConfig } from '../../../src/config/load.ts';
import { egressConfig } from '../../../src/dev/egress-config.ts';
import { reelkitConfig } from '../../../src/dev/reelkit-service.ts';
import { livekitConfig } from '../../../src/dev/stack/livekit.ts';
import { redisArgs } from '../../../src/dev/stack/redis.ts';
import { temporalArgs } from '../../../src/dev/stack/temporal.ts';
import type { Stack } from '../../../src/dev/stack.ts';

const livekit = { url: 'ws://127.0.0.1:7880', apiKey: 'devkey', apiSecret: 's'.repeat(48) };
const redis = { address: '127.0.0.1:6379' };

describe('Redis', () => {
  it('listens on loopback only and writes nothing to disk', () => {
    const args = redisArgs({ port: 6379, folder: '/state/redis', persistent: false }).join(' ');
    expect(args).toContain('--bind 127.0.0.1');
    expect(args).toContain('--appendonly no');
  });

  it('keeps its data across a restart when asked to', () => {
    expect(redisArgs({ port: 1, folder: '/f', persistent: true }).join(' ')).toContain('--appendonly yes');
  });
});

describe('LiveKit', () => {
  const config = parse(
    livekitConfig({
      ports: { http: 1, rtcTcp: 2, rtcUdp: 3 },
      ...livekit,
      redisAddress: redis.address,
      webhookUrls: ['http://127.0.0.1:9/webhooks/livekit', 'http://127.0.0.1:10/'],
      emptyTimeoutSeconds: 60,
      departureTimeoutSeconds: 10,
    }),
  );

  it('works on a machine without a network: loopback candidates only', () => {
    expect(config.bind_addresses).toEqual(['127.0.0.1']);
    expect(config.rtc).toMatchObject({
      node_ip: '127.0.0.1',
      enable_loopback_candidate: true,
      interfaces: { includes: ['lo'] },
    });
  });

  it('signs room events with the key pair of the stack and sends them to the API and to whom a test names', () => {
    expect(config.keys).toEqual({ devkey: livekit.apiSecret });
    expect(config.webhook).toEqual({
      api_key: 'devkey',
      urls: ['http://127.0.0.1:9/webhooks/livekit', 'http://127.0.0.1:10/'],
    });
  });
});

describe('Temporal', () => {
  const args = temporalArgs({
    ports: { grpc: 1, http: 2, ui: 3, metrics: 4 },
    databaseFile: '/state/temporal.db',
    namespace: 'default',
    searchAttributes: { RecordingStage: 'Keyword', RecordingLabels: 'KeywordList' },
    codecUrl: 'http://127.0.0.1:8080/codec',
    dynamicConfig: { 'limit.historyCount.suggestContinueAsNew': 50 },
  }).join(' ');

  it('keeps its state in a file', () => {
    expect(args).toContain('--db-filename /state/temporal.db');
  });

  it("has payloads decrypted by Reelkit's API in its Web UI", () => {
    expect(args).toContain('--ui-codec-endpoint http://127.0.0.1:8080/codec');
  });

  it('knows the search attributes by name and type', () => {
    expect(args).toContain('--search-attribute RecordingStage=Keyword --search-attribute RecordingLabels=KeywordList');
  });

  it('takes server settings as JSON values', () => {
    expect(args).toContain('--dynamic-config-value limit.historyCount.suggestContinueAsNew=50');
  });
});

describe('the egress worker configuration', () => {
  it('uses the keys of livekit/egress and leaves the ports to the capacity provider', () => {
    const config = parse(egressConfig({ livekit, redis }));
    expect(config).toMatchObject({ api_key: 'devkey', ws_url: livekit.url, redis, insecure: true });
    expect(config.cpu_cost).toMatchObject({
      room_composite_cpu_cost: 4,
      track_cpu_cost: 0.5,
      max_cpu_utilization: 0.8,
    });
    expect(Object.keys(config).filter((key) => key.endsWith('_port'))).toEqual([]);
  });

  it('charges the costs that the fleet counts', () => {
    expect(
      parse(egressConfig({ livekit, redis, costs: { roomComposite: 0.5 } })).cpu_cost.room_composite_cpu_cost,
    ).toBe(0.5);
  });
});

describe('the configuration of Reelkit on a stack', () => {
  const stack = {
    livekit,
    redis,
    workersRedis: { address: '127.0.0.1:6380' },
    stateDir: '/state',
    temporal: { uiUrl: 'http://127.0.0.1:8233' },
    api: { host: '127.0.0.1', port: 8080, url: 'http://127.0.0.1:8080' },
  };
  const render = (config = {}) =>
    parseConfig(
      reelkitConfig(
        { stack: stack as Stack, egressBin: '/bin/egress', config },
        '/state/egress.yaml',
        '/state/recordings',
      ),
    );

  it('is valid, with a Redis for LiveKit and one for the workers, local storage and worker processes', () => {
    expect(render()).toMatchObject({
      api: { port: 8080 },
      livekit: { redis },
      workers: { redis: stack.workersRedis },
      storages: { local: { type: 'local', path: '/state/recordings' } },
      encryption: { keyFile: '/state/encryption-keys', uiOrigins: ['http://127.0.0.1:8233'] },
      fleets: [{ name: 'default', capacity: { provider: 'process', bin: '/bin/egress', stateDir: '/state/workers' } }],
    });
  });

  it('takes what a test wants otherwise, and keeps the mark by which workers are found', () => {
    const config = render({ fleet: { maxWorkers: 2 }, capacity: { bootDelay: '3s', env: { FAULT: 'x' } } });
    expect(config.fleets[0].maxWorkers).toBe(2);
    expect(config.fleets[0].capacity).toMatchObject({
      bootDelay: 3_000,
      env: { FAULT: 'x', REELKIT_STATE_DIR: '/state' },
    });
  });
});
