// A Reelkit that launches workers and is then killed: run as a process of its own by the contract tests.
import { parseArgs } from 'node:util';
import type { FleetConfig } from '../../../src/config/fleet.ts';
import { openCapacity, workersOf } from './open.ts';

const { values } = parseArgs({
  options: { fleet: { type: 'string' }, count: { type: 'string' }, token: { type: 'string' } },
});
const provider = await openCapacity(JSON.parse(values.fleet ?? '') as FleetConfig);
const living = async () => (await workersOf(provider)).filter(({ state }) => state !== 'gone').length;
const launching = provider.launch(Number(values.count), values.token ?? '');
while ((await living()) === 0) await new Promise((resolve) => setTimeout(resolve, 1));
process.stdout.write('launching\n');
await launching;
process.stdout.write('launched\n');
setInterval(() => {}, 1_000);
