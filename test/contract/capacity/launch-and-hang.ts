// A Reelkit that launches workers and is then killed: run as a process of its own by process.test.ts.
import { createProcessProvider, type ProcessCapacity } from '../../../src/capacity/process.ts';

const settings = JSON.parse(process.argv[2] ?? '') as ProcessCapacity;
const provider = createProcessProvider(settings, { minWorkers: 0, maxWorkers: 10, coresPerWorker: 4 });
await provider.launch(2, 'killed');
process.stdout.write('launched\n');
setInterval(() => {}, 1_000);
