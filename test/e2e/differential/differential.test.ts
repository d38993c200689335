// LiveKit with a plain worker, and LiveKit with Reelkit, asked the same by the same unmodified SDK: every answer, error, list and
// webhook is the same but for ids and times, except for what docs/livekit.md lists.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { useStack } from '../../support/stack.ts';
import { buildGoTool, buildRustTool, hasCargo } from '../../support/tools.ts';
import { differencesOf } from './compare.ts';
import { receiveHooks } from './hooks.ts';
import { explain, KNOWN_DIFFERENCES } from './known-differences.ts';
import { startPlainLiveKit } from './plain-livekit.ts';
import { type Side, type Trace, traceOf } from './scenario.ts';
import { FAULTS, SCENARIOS } from './scenarios.ts';
import type { LiveKitAddress, Sdk } from './sdk.ts';
import { startNodeSdk } from './sdk-node.ts';
import { startSdkProcess } from './sdk-process.ts';

const isCargoThere = await hasCargo();
const CORES = 400;
const egress = { cpu_cost: { max_pulse_clients: 1_000 } };
const workerEnv = { STANDIN_MEDIA: 'none', STANDIN_FAULTS: JSON.stringify(FAULTS) };
const hooks = { plain: await receiveHooks(), reelkit: await receiveHooks() };
const e2e = useStack({
  fleet: { minWorkers: 1, maxWorkers: 1 },
  capacity: { coresPerWorker: CORES },
  egress,
  workerEnv,
  // Plain workers wait 30 s for who is not there; the fault does not.
  config: { rules: [{ match: { room: 'nobody-there-*' }, startWithin: '1s' }] },
  stack: { webhookUrls: [hooks.reelkit.url] },
});
let plain: Side & { end(): Promise<void> };
let reelkit: Side;

beforeAll(async () => {
  const started = await startPlainLiveKit({ webhookUrls: [hooks.plain.url], cores: CORES, egress, workerEnv });
  plain = { ...started, hooks: hooks.plain };
  reelkit = { livekit: e2e.stack.livekit, recordingsDir: e2e.service.recordingsDir, hooks: hooks.reelkit };
  await e2e.api.untilFleet('a worker is ready', ({ workers }) => workers.some(({ state }) => state === 'ready'));
});
afterAll(async () => {
  await plain?.end();
  await Promise.all(Object.values(hooks).map((receiver) => receiver.close()));
});

const SDKS: Record<string, (livekit: LiveKitAddress) => Promise<Sdk>> = {
  node: async (livekit) => startNodeSdk(livekit),
  go: async (livekit) => startSdkProcess(await buildGoTool('sdk-go'), livekit),
  rust: async (livekit) => startSdkProcess(await buildRustTool('sdk-rust'), livekit),
};

const seen = new Set<string>();
/** Rooms of a second try are new ones. */
let tries = 0;

/** The other two are asked either way. */
const asked = Object.keys(SDKS).filter((name) => name !== 'rust' || isCargoThere);

describe.each(asked)('with the SDK for %s', (name) => {
  test('LiveKit answers the same with Reelkit as without', async () => {
    tries += 1;
    const [without, withReelkit] = await Promise.all(
      [plain, reelkit].map((side) => play(side, name, `${name}-${tries}`)),
    );
    const differences = differencesOf(without ?? {}, withReelkit ?? {});
    const unexplained = differences.filter((difference) => {
      const id = explain(difference);
      if (id !== undefined) seen.add(id);
      return id === undefined;
    });
    expect(unexplained, JSON.stringify(unexplained)).toEqual([]);
    for (const [scenario, steps] of Object.entries({ ...without, ...withReelkit }))
      expect(steps, scenario).not.toHaveProperty(['it went no further']);
  });
});

test('every difference that is said to show here does', () => {
  const said = KNOWN_DIFFERENCES.filter(({ seen }) => seen !== undefined).map(({ id }) => id);
  expect([...seen].sort()).toEqual(said.toSorted());
});

async function play(side: Side, name: string, label: string): Promise<Trace> {
  const sdk = await SDKS[name]?.(side.livekit);
  if (!sdk) throw new Error(`no SDK for ${name}`);
  try {
    return await traceOf(side, sdk, SCENARIOS, label);
  } finally {
    await sdk.end();
  }
}
