// Every dependency of Reelkit, asked one after the other. A check never throws: what it found, and what to do, is its result.
import type { Client } from '@temporalio/client';
import { EgressClient, RoomServiceClient } from 'livekit-server-sdk';
import { checkLiveKit } from '../../api/readiness.ts';
import { createRedisTransport, type RedisSettings } from '../../bus/redis.ts';
import type { BusTransport } from '../../bus/transport.ts';
import { sharesFiles } from '../../capacity/registry.ts';
import type { Config } from '../../config/schema.ts';
import type { Installation } from '../../livekit/installations.ts';
import { createTemporalClient, namespaceId, namespaceProblem, readTemporalSettings } from '../../temporal/client.ts';
import { keyProblem } from '../../temporal/key-check.ts';
import { findKeyring, keyFileOf } from '../../temporal/keys.ts';
import { missingSearchAttributes, searchAttributeCommands } from '../../temporal/search-attributes.ts';
import { type BusesToCheck, checkBuses } from './buses.ts';
import { checkFleets } from './fleets.ts';
import { type CheckResult, check, failed, passed } from './result.ts';
import { checkStorages } from './storages.ts';

const CALL_SECONDS = 5;

export async function runChecks(config: Config): Promise<CheckResult[]> {
  const [livekit, workers] = await Promise.all([
    connect(config.livekit.redis, 'livekit'),
    connect(config.workers.redis, 'workers'),
  ]);
  try {
    return await runAll(config, { livekit, workers });
  } finally {
    await Promise.all([livekit, workers].map((bus) => (bus instanceof Error ? undefined : bus.close())));
  }
}

async function runAll(config: Config, buses: BusesToCheck): Promise<CheckResult[]> {
  const groups = await Promise.all([
    checkTemporal(config),
    checkLiveKitServer(config),
    ownInstallation().then((own) => checkBuses({ ...buses, own })),
    checkFleets(config.fleets, buses.workers instanceof Error ? undefined : buses.workers),
    checkStorages(
      config.storages,
      config.fleets.some(({ capacity }) => sharesFiles(capacity)),
    ),
  ]);
  return groups.flat();
}

/** Temporal's silence is told of elsewhere. */
async function ownInstallation(): Promise<Installation | undefined> {
  const settings = readTemporalSettings();
  const { client, close } = createTemporalClient(settings, undefined);
  const { namespace } = settings;
  try {
    return { id: await namespaceId(client, namespace), namespace };
  } catch {
    return undefined;
  } finally {
    await close();
  }
}

async function connect(settings: RedisSettings, name: string): Promise<BusTransport | Error> {
  try {
    return await createRedisTransport(settings, { name, connectTimeoutMs: CALL_SECONDS * 1_000 });
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

async function checkTemporal({ temporal: { taskQueue }, encryption, fleets }: Config): Promise<CheckResult[]> {
  const settings = readTemporalSettings();
  const { client, close } = createTemporalClient(settings, undefined);
  try {
    const problem = await namespaceProblem(client, settings);
    if (problem) return [failed('Temporal', problem)];
    const reached = passed(
      'Temporal',
      `namespace ${settings.namespace} at ${settings.address}, task queue ${taskQueue}`,
    );
    return [
      reached,
      await check('search attributes', async () => {
        const missing = await missingSearchAttributes(client, settings.namespace);
        if (Object.keys(missing).length === 0) return passed('search attributes', 'all there');
        const commands = searchAttributeCommands(settings, missing);
        return failed(
          'search attributes',
          `missing; \`reelkit serve\` creates them where it may, or run:\n${commands}`,
        );
      }),
      await check('encryption keys', () => checkKeys(client, settings.namespace, { encryption, fleets })),
    ];
  } finally {
    await close();
  }
}

async function checkKeys(
  client: Client,
  namespace: string,
  { encryption, fleets }: Pick<Config, 'encryption' | 'fleets'>,
): Promise<CheckResult> {
  const name = 'encryption keys';
  const keyring = findKeyring(encryption);
  const known = keyring?.keys.map(({ id }) => id) ?? [];
  const problem = await keyProblem(client, { namespace, fleets: fleets.map(({ name: fleet }) => fleet), known });
  if (problem) return failed(name, problem);
  if (!keyring) return passed(name, `none yet; the first start makes one in ${keyFileOf(encryption)}`);
  const where = 'file' in keyring.from ? keyring.from.file : 'the configuration';
  return passed(name, `"${known[0]}" encrypts, ${known.length} known, from ${where}`);
}

/** Two calls tell the keys, the grant, and Redis: LiveKit answers ListEgress out of Redis, and not at all without it. */
async function checkLiveKitServer({ livekit }: Config): Promise<CheckResult[]> {
  const reached = await checkLiveKit(livekit.url);
  if (!reached.ok) return [{ name: 'LiveKit', ...reached }];
  const host = livekit.url.replace(/^ws/, 'http');
  const options = { requestTimeout: CALL_SECONDS };
  const keys = await check('LiveKit keys', async () => {
    const rooms = await new RoomServiceClient(host, livekit.apiKey, livekit.apiSecret, options).listRooms();
    return passed('LiveKit keys', `accepted; ${rooms.length} rooms open`);
  });
  const redis = await check('LiveKit egress and Redis', async () => {
    const egresses = await new EgressClient(host, livekit.apiKey, livekit.apiSecret, options).listEgress({
      active: true,
    });
    return passed('LiveKit egress and Redis', `ListEgress works; ${egresses.length} egresses active`);
  });
  return [{ name: 'LiveKit', ...reached, detail: `${host} answers` }, keys, redis];
}
