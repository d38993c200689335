// The binary of a checkout: main.ts, and the commands that start the local stack. The image has neither.
import type { Command } from 'commander';
import { buildProgram } from './cli/program.ts';
import { run } from './cli/run.ts';

function addCheckoutCommands(program: Command): Command {
  program
    .command('demo')
    .helpGroup('Tools:')
    .description('Record several rooms at the same moment on this machine, from zero workers, and check every file')
    .option('--rooms <n>', 'how many rooms (6)')
    .option('--source <kind>', 'room, participant or tracks (room)')
    .option('--duration <duration>', 'how long each recording lasts (20s)')
    .option('--keep', 'keep files and logs afterwards; kept in any case when something failed')
    .option('--json', 'print the result as JSON on stdout, progress on stderr')
    .action(async (options) => (await import('./cli/demo.ts')).demo(options));

  program
    .command('dev')
    .helpGroup('Tools:')
    .description('Run LiveKit, Temporal, Redis and Reelkit on this machine until Ctrl-C, and print what to try')
    .option('--port <port>', 'port of the API (8080)')
    .option('--rooms <n>', 'rooms with a synthetic speaker (2)')
    .option('--workers <n>', 'at most this many egress workers (4)')
    .action(async (options) => (await import('./cli/dev.ts')).dev(options));
  return program;
}

await run(addCheckoutCommands(buildProgram()));
