// Runs a command line to its end, and turns what went wrong into words and an exit code.
import { type Command, CommanderError } from 'commander';
import { reportFailure } from './errors.ts';

export async function run(program: Command): Promise<void> {
  // `reelkit ls | head`: the reader has seen enough.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
  try {
    await program.parseAsync(process.argv);
  } catch (error) {
    // commander has printed its own complaint, or the help that was asked for.
    if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
    else process.exitCode = reportFailure(error, (text) => process.stderr.write(text));
  }
}
