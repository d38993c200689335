// make bench: measures, prints a table and writes bench/results.json. Ratios come from one run; nothing here is a test.
// `--only <part>` measures one part; `--quick` tries it out with a fraction of the turns, and writes nothing.
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { benchActions } from './actions.ts';
import { benchAsg, benchEcs } from './aws.ts';
import { benchBurst } from './burst.ts';
import { createBench } from './context.ts';
import { benchDeaths } from './deaths.ts';
import { stopAll } from './endings.ts';
import { benchKubernetes } from './kubernetes.ts';
import { benchParts } from './parts.ts';
import { benchRest } from './rest.ts';
import { benchRooms } from './rooms.ts';
import { type Row, renderTable } from './rows.ts';
import { benchStarts } from './starts.ts';
import { benchTakeover } from './takeover.ts';
import { benchThousand } from './thousand.ts';

const PARTS = {
  starts: benchStarts,
  burst: benchBurst,
  thousand: benchThousand,
  rooms: benchRooms,
  takeover: benchTakeover,
  deaths: benchDeaths,
  parts: benchParts,
  kubernetes: benchKubernetes,
  ecs: benchEcs,
  asg: benchAsg,
  actions: benchActions,
  rest: benchRest,
} as const;
const RESULTS = fileURLToPath(new URL('results.json', import.meta.url));
const report = (line: string) => void process.stdout.write(`${line}\n`);

let interrupted: Promise<never> | undefined;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    // Whatever is under way fails now.
    process.on('unhandledRejection', () => {});
    interrupted ??= stopAll().finally(() => process.exit(1)) as Promise<never>;
  });
}

const { values } = parseArgs({ options: { only: { type: 'string' }, quick: { type: 'boolean', default: false } } });
const bench = createBench(report, values.quick);
const startedMs = Date.now();
const rows: Row[] = [];
for (const [name, measure] of Object.entries(PARTS)) {
  if (values.only !== undefined && values.only !== name) continue;
  report(`measuring ${name} …`);
  const partMs = Date.now();
  // What is measured when its bed is taken away fails, and must not end the process before the bed has ended.
  rows.push(...(await measure(bench).catch((error) => interrupted ?? Promise.reject(error))));
  report(`${name} took ${Math.round((Date.now() - partMs) / 1_000)} s`);
}
report(`\n${renderTable(rows)}\n`);
report(
  `${rows.filter(({ holds }) => holds).length} of ${rows.length} hold; ${Math.round((Date.now() - startedMs) / 1_000)} s`,
);
if (!values.quick) await writeFile(RESULTS, `${JSON.stringify(await merged(rows), null, 2)}\n`);
// At once: a timer that a part forgot must not keep a finished benchmark.
process.exit(rows.every(({ holds }) => holds) ? 0 : 1);

/** A part measured again replaces its rows; the others stay as they were. */
async function merged(fresh: Row[]): Promise<Row[]> {
  const earlier = JSON.parse(await readFile(RESULTS, 'utf8').catch(() => '[]')) as Row[];
  const again = new Set(fresh.map(({ id }) => id));
  return [...earlier.filter(({ id }) => !again.has(id)), ...fresh];
}
