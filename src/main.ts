// The one binary of Reelkit. Each command lives in cli/ and is loaded only when it runs, so that `--help` answers at once.
import { CommanderError } from 'commander';
import { reportFailure } from './cli/errors.ts';
import { buildProgram } from './cli/program.ts';

// `reelkit ls | head`: the reader has seen enough.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

try {
  await buildProgram().parseAsync(process.argv);
} catch (error) {
  // commander has printed its own complaint, or the help that was asked for.
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else process.exitCode = reportFailure(error, (text) => process.stderr.write(text));
}
