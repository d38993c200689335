// What a configuration may say, and what is said about one that is not valid: key, value and remedy, and no secret.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { readKeys } from '../../src/cli/client.ts';
import { roomTooLarge } from '../../src/config/fleets.ts';
import { loadConfig, parseConfig } from '../../src/config/load.ts';
import { ConfigError } from '../../src/config/problems.ts';
import type { ConfigInput } from '../../src/config/schema.ts';
import { hide, redactConfig } from '../../src/config/secrets.ts';
import { DEFAULT_COSTS } from '../../src/fleet/cost.ts';

const SMALLEST: ConfigInput = {
  livekit: {
    url: 'wss://livekit.example.com',
    apiKey: 'key',
    apiSecret: 'a-secret-of-livekit',
    redis: { address: 'livekit-redis:6379' },
  },
  workers: { redis: { address: 'workers-redis:6379' } },
  storages: { local: { type: 'local', path: '/recordings' } },
  fleet: {
    capacity: { provider: 'static', workers: [{ id: 'egress-1', healthUrl: 'http://egress-1:9090', cpuCores: 4 }] },
  },
};

const WORKER = { id: 'egress-1', healthUrl: 'http://egress-1:9090', cpuCores: 4 };
const dear = (cores: number) => Object.fromEntries(Object.keys(DEFAULT_COSTS).map((kind) => [kind, cores]));

const { redis: _, ...bareLiveKit } = SMALLEST.livekit;

function problemsOf(act: () => unknown): string[] {
  try {
    act();
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

/** The smallest configuration with one key changed. */
function withKey(key: string, value: unknown): unknown {
  const config = structuredClone(SMALLEST) as Record<string, unknown>;
  const path = key.split('.');
  const last = path.pop() ?? '';
  let inner = config;
  for (const name of path) {
    inner[name] ??= {};
    inner = inner[name] as Record<string, unknown>;
  }
  inner[last] = value;
  return config;
}

describe('a configuration', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'reelkit-config-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('needs only LiveKit, two Redis, a storage and a provider; the rest has defaults', () => {
    const config = parseConfig(SMALLEST);
    expect(config.fleets[0]).toMatchObject({ name: 'default', minWorkers: 0, maxWorkers: 10, cooldown: 300_000 });
    expect(config.fleets[0].costs).toMatchObject({ roomComposite: 4, participant: 2 });
  });

  it('takes the environment before the file', () => {
    const env = { LIVEKIT_API_SECRET: 'another', REELKIT_MAX_WORKERS: '3', REELKIT_COOLDOWN: '90s', REELKIT_PORT: '' };
    const config = parseConfig(SMALLEST, env);
    expect(config.livekit.apiSecret).toBe('another');
    expect(config.fleets[0]).toMatchObject({ maxWorkers: 3, cooldown: 90_000 });
    expect(config.api.port).toBe(8080);
  });

  it.each([
    ['livekit.url', 'livekit.example.com', /^livekit\.url is "livekit\.example\.com": .*LIVEKIT_URL\)$/],
    ['livekit.apiSecret', 7, /^livekit\.apiSecret is \(hidden\): must be a string .*LIVEKIT_API_SECRET\)$/],
    ['fleet.maxWorkers', 'many', /^fleet\.maxWorkers is "many": must be a number .*REELKIT_MAX_WORKERS\)$/],
    ['fleet.minWorkers', 20, /^fleet\.minWorkers is 20: is above fleet\.maxWorkers \(10\)/],
    ['fleet.cooldown', 'soon', /^fleet\.cooldown is "soon": /],
    ['fleet.name', 'My Fleet', /^fleet\.name is "My Fleet": must be lower-case letters, digits and dashes$/],
    ['fleet.capacity', undefined, /^fleet\.capacity is missing: needs a provider, for example \{provider: static/],
    [
      'fleet.capacity.provider',
      'nomad',
      /^fleet\.capacity\.provider is "nomad": must be one of process, static, kubernetes, ecs, asg$/,
    ],
    ['fleet.typo', 1, /^fleet\.typo is not a key of the configuration: correct the name/],
    ['storages', {}, /^storages is \{\}: needs at least one storage, for example/],
    ['storages.bucket', { type: 's3', bucket: '' }, /^storages\.bucket\.bucket is "": /],
    ['defaultStorage', 'tape', /^defaultStorage is "tape": names no storage; known: local$/],
    ['defaultStorage', 'constructor', /^defaultStorage is "constructor": names no storage; known: local$/],
    ['pathTemplate', '../{room}', /^pathTemplate is "\.\.\/\{room\}": .*remove "\." and "\.\." segments$/],
    ['pathTemplate', '{room}.mp4', /^pathTemplate is .*: ends in ".mp4".*leave the ending out$/],
    ['pathTemplate', '{egress}/x', /^pathTemplate is .*: path has the unknown placeholder \{egress\}; known: \{room\}/],
    [
      'storages.s',
      { type: 'S3', bucket: 'b' },
      /^storages\.s\.type is "S3": must be one of worker, local, .*; write s3$/,
    ],
    [
      'storages.inline',
      { type: 'local', path: '/r' },
      /^storages\.inline is .*: has a key that is no name: .*none of inline, livekit, backup, unknown$/,
    ],
    ['storages', [], /^storages is \[\]: must be a section with keys of its own$/],
    ['storages.s', 's3://AKIA:hunter2@b', /^storages\.s is "s3:\/\/\(hidden\)@b": must be a section/],
    [
      'storages.s',
      { type: 's3', bucket: 'b', accessKey: 'AKIA' },
      /^storages\.s\.secret is missing: is needed with accessKey/,
    ],
    [
      'storages.s',
      { type: 's3', bucket: 'b', secret: 's' },
      /^storages\.s\.accessKey is missing: is needed with secret/,
    ],
    [
      'storages.s',
      { type: 's3', bucket: 'b', sessionToken: 's' },
      /^storages\.s\.accessKey is missing: is needed with sess/,
    ],
    [
      'storages.s',
      { type: 's3', bucket: 'b' },
      /^storages\.s\.accessKey is missing: .*`type: worker`.*`workerIdentity: true`/,
    ],
    [
      'storages.s',
      { type: 'gcs', bucket: 'b' },
      /^storages\.s\.credentials is missing: .*`type: worker`.*workerIdentity/,
    ],
    [
      'storages.s',
      { type: 'gcs', bucket: 'b', credentials: '/etc/key.json' },
      /^storages\.s\.credentials is \(hidden\): must be the JSON of a service account itself/,
    ],
    [
      'storages.s',
      { type: 's3', bucket: 'b', accessKey: 'a', secret: 's', endpoint: 'minio:9000' },
      /^storages\.s\.endpoint is "minio:9000": must be an http or https URL/,
    ],
    [
      'storages.s',
      { type: 's3', bucket: 'b', accessKey: 'a', secret: 's', workerIdentity: true },
      /^storages\.s\.workerIdentity is true: and keys exclude each other: keep one$/,
    ],
    ['livekit', [], /^livekit is \[\]: must be a section with keys of its own$/],
    [
      'livekit.url',
      'https://u:hunter2@h',
      /^livekit\.url is "https:\/\/\(hidden\)@h": must have no user and no password/,
    ],
    ['rules', {}, /^rules is \{\}: must be a list$/],
    ['rules', [{ priority: 9 }], /^rules\.0\.priority is 9: must be at most 5$/],
    ['logLevel', 'INFO', /^logLevel is "INFO": must be one of fatal, .*silent; write info \(/],
    ['api.port', 70_000, /^api\.port is 70000: must be at most 65535 \(/],
    ['api.port', null, /^api\.port is null: must be a number \(/],
    ['api.trustProxy', true, /^api\.trustProxy is true: must be the number of proxies in front, or a list/],
    ['api.trustProxy', ['10.0.0.0/40'], /^api\.trustProxy\.0 is "10\.0\.0\.0\/40": must be an address, a network/],
    ['fleet.maxWorkers', true, /^fleet\.maxWorkers is true: must be a number/],
    ['fleet.maxWorkers', '10', /^fleet\.maxWorkers is "10": must be a number/],
    ['fleet.cooldown', 300, /^fleet\.cooldown is 300: must be a duration such as/],
    ['fleet.watchInterval', '0s', /^fleet\.watchInterval is "0s": must be between 1s and 1h$/],
    ['fleet.costs', { web: 0 }, /^fleet\.costs\.web is 0: must be above 0$/],
    ['fleet.costs', dear(9), /^fleet\.costs is .*: ask for 9 cores and more, and the largest worker has 4/],
    ['fleet.capacity.workers', [WORKER, WORKER], /workers\.1\.id is "egress-1": is that of workers\.0, too/],
    [
      'fleet.capacity.workers',
      [WORKER, { ...WORKER, id: 'b', topic: 'egress-1', healthUrl: 'http://b:1' }],
      /^fleet\.capacity\.workers\.1\.topic is "egress-1": is that of workers\.0, too: each has its own$/,
    ],
  ])('with a wrong %s is refused by key, value and remedy', (key, value, problem) => {
    const problems = problemsOf(() => parseConfig(withKey(key, value)));
    expect(problems[0]).toMatch(problem);
    expect(problems.join()).not.toMatch(/Invalid|Too (big|small)|expected|hunter2/);
  });

  it.each([[[1, 2]], ['hello'], [7]])('that is no section at all is refused as such: %j', (whole) => {
    expect(problemsOf(() => parseConfig(whole))).toEqual([
      expect.stringMatching(/^the configuration is (a list|a single value): must be sections with keys/),
    ]);
  });

  it('takes a storage without keys where it says whose identity is meant', () => {
    const storages = {
      own: { type: 'worker', prefix: 'live' },
      role: { type: 's3', bucket: 'b', workerIdentity: true },
      identity: { type: 'gcs', bucket: 'b', workerIdentity: true },
    };
    expect(Object.keys(parseConfig({ ...SMALLEST, storages }).storages)).toEqual(['own', 'role', 'identity']);
  });

  it('tells of a fleet whose workers are too small for a room, and takes it: it may be meant for sound', () => {
    const small = (cpuCores: number) =>
      parseConfig(withKey('fleet.capacity.workers', [{ ...WORKER, cpuCores }])).fleets[0];
    expect(roomTooLarge(small(2))).toMatch(/^fleet\.costs\.roomComposite is 4, and the largest worker has 2 cores: /);
    expect(roomTooLarge(small(4))).toBeUndefined();
  });

  it('with a key nobody knows is refused without showing what stands around it', () => {
    const storages = { bucket: { type: 's3', bucket: 'b', secret: 's3-secret', acces: 1 } };
    const livekit = { ...SMALLEST.livekit, extra: true };
    const problems = problemsOf(() => parseConfig({ ...SMALLEST, livekit, storages, maxDuration: '1h' })).join('\n');
    expect(problems).toMatch(/livekit\.extra is not a key/);
    expect(problems).toMatch(/storages\.bucket\.acces is not a key/);
    expect(problems).toMatch(/maxDuration is not a key/);
    for (const secret of ['a-secret-of-livekit', 's3-secret']) expect(problems).not.toContain(secret);
  });

  it('that is not there at all is answered with every key it needs', () => {
    expect(problemsOf(() => loadConfig(undefined, {}))).toEqual([
      expect.stringMatching(/^no configuration file: name one with --config or REELKIT_CONFIG/),
      'livekit.url is missing: must be a string (set it in the file or as LIVEKIT_URL)',
      'livekit.apiKey is missing: must be a string (set it in the file or as LIVEKIT_API_KEY)',
      'livekit.apiSecret is missing: must be a string (set it in the file or as LIVEKIT_API_SECRET)',
      expect.stringMatching(/^livekit\.redis is \{\}: needs exactly one of address .*LIVEKIT_REDIS_ADDRESS\)$/),
      expect.stringMatching(/^workers\.redis is \{\}: needs exactly one of address .*WORKERS_REDIS_ADDRESS\)$/),
      expect.stringMatching(/^storages is \{\}: needs at least one storage/),
      expect.stringMatching(/^fleet\.capacity is missing: needs a provider/),
    ]);
  });

  it('that cannot be read names the file', async () => {
    expect(problemsOf(() => loadConfig(join(folder, 'none.yaml'), {}))).toEqual([
      expect.stringMatching(/^cannot read .*none\.yaml: .*give an existing file with --config or REELKIT_CONFIG$/),
    ]);
    const broken = join(folder, 'broken.yaml');
    await writeFile(broken, 'livekit: [');
    expect(problemsOf(() => loadConfig(undefined, { REELKIT_CONFIG: broken }))).toEqual([
      expect.stringMatching(/broken\.yaml is not valid YAML, line 1, column /),
    ]);
  });

  it.each([
    ['livekit:\n  apiSecret: "HUSH\n  url: x', /line 3, column 9: a quote, bracket or comma is missing before here$/],
    ['livekit:\n  apiSecret: HUSH: x\n', /line 2, column 14: a value with ": " in it needs quotes/],
    ['apiSecret: @HUSH', /line 1, column 12: put the value in quotes$/],
    ['apiSecret: `HUSH`', /line 1, column 12: put the value in quotes$/],
    ['apiSecret: *HUSH', /an alias \(\*name\) leads nowhere/],
    ['apiSecret: !HUSH x', /line 1, column 12: the tag \(!name\) is not known/],
    ['apiSecret: |HUSH\n', /line 1, column 13: put the value in quotes$/],
    ['%HUSH\n---\na: 1', /line 1, column 1: a line that begins with % is a directive/],
    ['a: HUSH\na: HUSH', /line 2, column 1: the key is there twice; keep one$/],
    ['\tHUSH: 1', /line 1, column 1: indent with spaces, not tabs$/],
    ['a: 1\n---\nb: HUSH', /the file holds several documents/],
    ['a: "\\HUSH"', /a backslash in double quotes begins an escape/],
    ['- HUSH', /is a list: must be sections with keys/],
  ])('that is no YAML is told by its place, and never quoted: %j', async (text, problem) => {
    const broken = join(folder, 'secret.yaml');
    await writeFile(broken, text);
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    const problems = problemsOf(() => loadConfig(broken, {}));
    expect(problems).toEqual([expect.stringMatching(problem)]);
    expect(JSON.stringify([problems, warned.mock.calls])).not.toContain('HUSH');
    expect(() => readKeys(broken, {})).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('HUSH') }),
    );
    warned.mockRestore();
  });

  it('is shown without its secrets', () => {
    const storages = {
      bucket: { type: 's3' as const, bucket: 'b', accessKey: 'AKIA', secret: 's3-secret', sessionToken: 'session' },
      blob: { type: 'azure' as const, accountName: 'a', accountKey: 'azure-secret', containerName: 'c' },
      gcs: {
        type: 'gcs' as const,
        bucket: 'g',
        credentials: '{"client_email":"a@b","private_key":"gcs-secret"}',
      },
    };
    const shown = JSON.stringify(redactConfig(parseConfig({ ...SMALLEST, storages })));
    for (const secret of ['a-secret-of-livekit', 'AKIA', 's3-secret', 'session"', 'azure-secret', 'gcs-secret'])
      expect(shown).not.toContain(secret);
    expect(shown).toContain('"apiKey":"key"');
  });

  it("is shown without a worker's environment, and without users and queries of URLs", () => {
    const env = { REDIS_PASSWORD: 'hunter2', PGPASS: 'hunter2', AWS_ACCESS_KEY_ID: 'hunter2' };
    const capacity = { provider: 'process', bin: '/b', configFile: '/c', stateDir: '/s', env };
    const url = 'wss://livekit.example.com/path?access_token=hunter2';
    const shown = JSON.stringify(
      redactConfig(parseConfig({ ...SMALLEST, livekit: { ...SMALLEST.livekit, url }, fleet: { capacity } })),
    );
    expect(shown).not.toContain('hunter2');
    expect(shown).toContain('PGPASS');
    expect(shown).toContain('wss://livekit.example.com/path');
  });

  it.each(['redis://token@h:1', 'redis://u:hunter/2@h:1', 'u:hunter2@h', 'x https://u:hunter2@h y wss://token@h'])(
    'shows no userinfo of %s',
    (text) => {
      expect(String(hide('address', text))).not.toMatch(/hunter|token/);
    },
  );
});

describe('the two Redis', () => {
  it('are given by the environment alone', () => {
    const env = {
      LIVEKIT_REDIS_ADDRESS: '10.0.0.1:6379',
      LIVEKIT_REDIS_PASSWORD: 'one',
      WORKERS_REDIS_ADDRESS: '[::1]:6380',
      WORKERS_REDIS_USERNAME: 'reelkit',
      WORKERS_REDIS_PASSWORD: 'two',
    };
    const { livekit, workers } = parseConfig({ ...SMALLEST, workers: undefined, livekit: bareLiveKit }, env);
    expect(livekit.redis).toMatchObject({ address: '10.0.0.1:6379', password: 'one', db: 0, tls: { enabled: false } });
    expect(workers.redis).toMatchObject({ address: '[::1]:6380', username: 'reelkit', password: 'two' });
  });

  it('may be Sentinels or a Cluster, and are then no single address', () => {
    const sentinel = { sentinelMasterName: 'egress', sentinelAddresses: ['a:26379', 'b:26379'] };
    expect(parseConfig(withKey('workers.redis', sentinel)).workers.redis).toMatchObject(sentinel);
    const cluster = { clusterAddresses: ['a:7000', 'b:7000'] };
    expect(parseConfig(withKey('livekit.redis', cluster)).livekit.redis).toMatchObject(cluster);
  });

  it.each([
    ['livekit.redis', {}, /^livekit\.redis is \{\}: needs exactly one of address .*LIVEKIT_REDIS_ADDRESS\)$/],
    ['workers.redis', undefined, /^workers\.redis is \{\}: needs exactly one of address .*WORKERS_REDIS_ADDRESS\)$/],
    ['workers.redis', { address: 'a:1', clusterAddresses: ['b:1'] }, /^workers\.redis is .*: needs exactly one of/],
    [
      'workers.redis',
      { sentinelAddresses: ['a:1'] },
      /^workers\.redis\.sentinelMasterName is missing: is needed with sentinelAddresses$/,
    ],
    [
      'workers.redis.address',
      'redis',
      /^workers\.redis\.address is "redis": must be host:port, for example redis:6379 .*WORKERS_REDIS_ADDRESS\)$/,
    ],
    ['livekit.redis.pasword', 'x', /^livekit\.redis\.pasword is not a key of the configuration/],
    ['workers.topic', 'x', /^workers\.topic is not a key of the configuration/],
    ['api.publicUrl', 'https://reelkit', /^api\.publicUrl is not a key of the configuration/],
  ])('with a wrong %s %o are refused by key, value and remedy', (key, value, problem) => {
    expect(problemsOf(() => parseConfig(withKey(key, value)))).toEqual([expect.stringMatching(problem)]);
  });

  it.each<[string, unknown, NodeJS.ProcessEnv]>([
    ['livekit.redis', { password: 'hunter2' }, {}],
    ['workers.redis', { address: 'a:1', clusterAddresses: ['b:1'], sentinelPassword: 'hunter2' }, {}],
    ['workers.redis', {}, { WORKERS_REDIS_PASSWORD: 'hunter2' }],
    ['workers.redis.password', ['hunter2'], {}],
    ['workers.redis.address', 'redis://:hunter2@redis:6379', {}],
    ['workers.redis.clusterAddresses', ['redis://reelkit:hunter2@redis:6379'], {}],
    ['livekit.redis', {}, { LIVEKIT_REDIS_ADDRESS: 'rediss://reelkit:hunter2@redis:6379' }],
    ['livekit.redis', {}, { LIVEKIT_REDIS_ADDRESS: 'reelkit:hunter2@redis:6379' }],
  ])('with a wrong %s are refused without a password: %o %o', (key, value, env) => {
    const problems = problemsOf(() => parseConfig(withKey(key, value), env));
    expect(problems).not.toEqual([]);
    expect(problems.join()).not.toContain('hunter2');
  });

  it('are shown without their passwords', () => {
    const redis = { sentinelMasterName: 'm', sentinelAddresses: ['a:1'], password: 'one', sentinelPassword: 'two' };
    const shown = redactConfig(parseConfig(withKey('workers.redis', redis)));
    expect(shown).toMatchObject({ workers: { redis: { password: '(hidden)', sentinelPassword: '(hidden)' } } });
  });
});

describe('the keys that encrypt what Temporal stores', () => {
  const key = Buffer.alloc(32, 7).toString('base64');
  const other = Buffer.alloc(32, 8).toString('base64');

  it('come from the environment as well, the first one first', () => {
    const { encryption } = parseConfig(SMALLEST, { REELKIT_ENCRYPTION_KEYS: `new:${key}, old:${other}` });
    expect(encryption.keys).toEqual([
      { id: 'new', key },
      { id: 'old', key: other },
    ]);
    expect(parseConfig(SMALLEST).encryption).toEqual({ uiOrigins: [] });
  });

  it.each([
    ['too short', { REELKIT_ENCRYPTION_KEYS: 'a:c2VjcmV0' }, 'c2VjcmV0'],
    ['without an id', { REELKIT_ENCRYPTION_KEYS: key }, key],
    ['twice of one id', { REELKIT_ENCRYPTION_KEYS: `a:${key},a:${other}` }, key],
  ])('are refused without being shown: %s', (_, env, hidden) => {
    const problems = problemsOf(() => parseConfig(SMALLEST, env));
    expect(problems.join('\n')).toMatch(/^encryption\.keys/);
    expect(problems.join('\n')).not.toContain(hidden);
  });

  it('are hidden where the configuration is shown', () => {
    const config = parseConfig({ ...SMALLEST, encryption: { keys: [{ id: 'k1', key }] } });
    expect(JSON.stringify(redactConfig(config))).not.toContain(key);
    expect(JSON.stringify(redactConfig(config))).toContain('k1');
  });
});

describe('several fleets', () => {
  const { fleet: _one, ...rest } = SMALLEST;
  const workers = (...ids: string[]) => ids.map((id) => ({ id, healthUrl: `http://${id}:9090`, cpuCores: 4 }));
  const fleet = (name: string, ...ids: string[]) => ({
    name,
    capacity: { provider: 'static', workers: workers(...ids) },
  });
  const processFleet = (name: string, stateDir: string) => ({
    name,
    capacity: { provider: 'process', bin: 'egress', configFile: 'egress.yaml', stateDir },
  });
  const withFleets = (...fleets: unknown[]) => ({ ...rest, fleets });

  it('are read in their order, each with the defaults of one', () => {
    const { fleets } = parseConfig(withFleets(fleet('main', 'a'), { ...fleet('gpu', 'b'), maxWorkers: 3 }));
    expect(fleets.map(({ name, maxWorkers, cooldown }) => [name, maxWorkers, cooldown])).toEqual([
      ['main', 10, 300_000],
      ['gpu', 3, 300_000],
    ]);
  });

  it('are what one fleet is in a list of one', () => {
    expect(parseConfig(withFleets({ ...SMALLEST.fleet })).fleets).toEqual(parseConfig(SMALLEST).fleets);
  });

  it.each([
    [
      [fleet('a', '1'), fleet('a', '2')],
      'fleets.1.name is "a": is that of fleets.0, too: give each fleet a name of its own',
    ],
    [
      [fleet('a', '1'), { ...fleet('b', '2'), minWorkers: 11 }],
      'fleets.1.minWorkers is 11: is above fleets.1.maxWorkers (10)',
    ],
    [
      [fleet('a', '1', '2'), fleet('b', '3', '2')],
      'fleets.1.capacity.workers.1.id is "2": is that of fleets.0, too: a worker belongs to one fleet: name it in one of them',
    ],
    [
      [processFleet('a', '/w'), processFleet('b', '/w')],
      'fleets.1.capacity.stateDir is "/w": is that of fleets.0, too: give each fleet a folder of its own, or both adopt the same workers',
    ],
    [[fleet('a', '1'), { name: 'b' }], 'fleets.1.capacity is missing: needs a provider'],
  ])('are refused by key, value and remedy: %o', (fleets, expected) => {
    expect(problemsOf(() => parseConfig(withFleets(...fleets)))).toEqual([expect.stringContaining(expected)]);
  });

  it('are known to the rules by name', () => {
    const withRule = (name: string) => ({
      ...withFleets(fleet('main', 'a'), fleet('gpu', 'b')),
      rules: [{ fleet: name }],
    });
    expect(parseConfig(withRule('gpu')).rules).toEqual([{ fleet: 'gpu' }]);
    expect(problemsOf(() => parseConfig(withRule('gpus')))).toEqual([
      'rules.0.fleet is "gpus": names no fleet; known: main, gpu',
    ]);
  });

  it('leave no place for fleet, nor for the variables of one', () => {
    const two = withFleets(fleet('main', 'a'), fleet('gpu', 'b'));
    expect(problemsOf(() => parseConfig({ ...two, fleet: {} }))).toEqual([
      'fleet and fleets are both there: keep fleet for one, or fleets for several',
    ]);
    expect(problemsOf(() => parseConfig(two, { REELKIT_MAX_WORKERS: '3' }))).toEqual([
      expect.stringMatching(/^REELKIT_MAX_WORKERS is set, and there are several fleets: unset it/),
    ]);
  });

  it('of processes all take the binary that the environment names', () => {
    const { fleets } = parseConfig(withFleets(processFleet('a', '/a'), fleet('b', '1'), processFleet('c', '/c')), {
      REELKIT_EGRESS_BIN: '/bin/egress',
    });
    expect(fleets.map(({ capacity }) => 'bin' in capacity && capacity.bin)).toEqual([
      '/bin/egress',
      false,
      '/bin/egress',
    ]);
  });
});

describe('further API keys', () => {
  const withKeys = (...keys: unknown[]) => ({ ...SMALLEST, api: { keys } });

  it('are shown without their secrets, and refused when one is named twice', () => {
    const config = parseConfig(withKeys({ apiKey: 'app', apiSecret: 'of-the-app' }));
    expect(JSON.stringify(redactConfig(config))).not.toContain('of-the-app');
    const twice = withKeys({ apiKey: 'app', apiSecret: 'one' }, { apiKey: 'app', apiSecret: 'two' });
    expect(problemsOf(() => parseConfig(twice))).toEqual([
      expect.stringMatching(/^api\.keys is .*: names a key twice$/),
    ]);
    expect(problemsOf(() => parseConfig(twice)).join()).not.toMatch(/one|two/);
  });

  it('are not that of LiveKit again', () => {
    const again = withKeys({ apiKey: 'key', apiSecret: 'another' });
    expect(problemsOf(() => parseConfig(again))).toEqual([
      expect.stringMatching(/^api\.keys\.0\.apiKey is "key": is livekit\.apiKey/),
    ]);
  });
});

describe('rules for requests that do not say', () => {
  const withRules = (...rules: unknown[]) => ({ ...SMALLEST, rules });

  it('are read with their durations as milliseconds', () => {
    const config = parseConfig(
      withRules(
        { match: { room: 'exam-*', source: ['room', 'tracks'] }, maxDuration: '3h', priority: 1, fleet: 'default' },
        { startWithin: '5m', labels: { kind: 'any' }, tenant: 'school' },
      ),
    );
    expect(config.rules).toEqual([
      { match: { room: 'exam-*', source: ['room', 'tracks'] }, maxDuration: 10_800_000, priority: 1, fleet: 'default' },
      { startWithin: 300_000, labels: { kind: 'any' }, tenant: 'school' },
    ]);
    expect(parseConfig(SMALLEST).rules).toEqual([]);
  });

  it.each([
    [{ maxDuration: '25h' }, 'rules.0.maxDuration is "25h": must be between'],
    [{ priority: 0 }, 'rules.0.priority is 0'],
    [{ match: { rooms: 'x' } }, 'rules.0.match.rooms is not a key'],
    [{ match: { source: 'rooms' } }, 'rules.0.match.source is "rooms"'],
    [{ fleet: 'GPU' }, 'rules.0.fleet is "GPU": must be lower-case'],
    [{ fleet: 'gpu' }, 'rules.0.fleet is "gpu": names no fleet; known: default'],
    [{ tenant: 'our school' }, 'rules.0.tenant is "our school": uses letters, digits'],
  ])('are refused by name when they are wrong: %o', (rule, expected) => {
    expect(problemsOf(() => parseConfig(withRules(rule))).join()).toContain(expected);
  });
});

describe('webhooks', () => {
  const withWebhooks = (webhooks: unknown) => ({ ...SMALLEST, webhooks });
  const receiver = { name: 'lms', url: 'https://example.com/hunter2?token=hunter2' };

  it('are none, and may go to public addresses alone, by default', () => {
    expect(parseConfig(SMALLEST).webhooks).toEqual({ allow: [], receivers: [] });
  });

  it('are shown without what their addresses hold', () => {
    const config = parseConfig(withWebhooks({ receivers: [receiver] }));
    expect(JSON.stringify(redactConfig(config))).not.toContain('hunter2');
    expect(JSON.stringify(redactConfig(config))).toContain('https://example.com/{...}');
  });

  it.each<[webhooks: unknown, expected: string]>([
    [{ allow: ['10.0.0.0/33'] }, 'webhooks.allow.0 is "10.0.0.0/33": must be an address, a range'],
    [{ allow: ['https://hooks.internal'] }, 'webhooks.allow.0 is "https://hooks.internal": must be'],
    [{ receivers: [{ ...receiver, name: 'My LMS' }] }, 'webhooks.receivers.0.name is "My LMS": must be lower-case'],
    [
      { receivers: [{ ...receiver, url: 'ftp://hunter2' }] },
      'webhooks.receivers.0.url is (hidden): must be an absolute http',
    ],
    [
      { receivers: [{ ...receiver, url: 'https://a:hunter2@b/' }] },
      'webhooks.receivers.0.url is (hidden): must not hold a user',
    ],
    [
      { receivers: [{ ...receiver, events: ['recording.napped'] }] },
      'webhooks.receivers.0.events.0 is "recording.napped"',
    ],
    [{ receivers: [{ ...receiver, match: { rooms: 'x' } }] }, 'webhooks.receivers.0.match.rooms is not a key'],
    [{ receivers: [{ ...receiver, apiKey: 'app' }] }, 'webhooks.receivers.0.apiKey is "app": names no API key; known:'],
    [{ receivers: [receiver, receiver] }, 'names one twice'],
    [{ receivers: receiver }, 'webhooks.receivers is {"name":"lms","url":"(hidden)"}: must be'],
  ])('are refused by name when they are wrong: %o', (webhooks, expected) => {
    const problems = problemsOf(() => parseConfig(withWebhooks(webhooks))).join();
    expect(problems).toContain(expected);
    expect(problems).not.toContain('hunter2');
  });
});
