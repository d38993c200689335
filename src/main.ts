// The one binary of Reelkit. Each command lives in cli/ and is loaded only when it runs, so that `--help` answers at once.
import { buildProgram } from './cli/program.ts';
import { run } from './cli/run.ts';

await run(buildProgram());
