// The commands of the CLI: names, arguments and help. What a command does is in the file of its name, loaded when it runs.
import { Command, Option } from 'commander';

export function buildProgram(): Command {
  const program = new Command('reelkit')
    .description('Durable, autoscaled recording for self-hosted LiveKit, on Temporal.')
    .showHelpAfterError('(add --help for what is possible)')
    .enablePositionalOptions();
  addServiceCommands(program);
  return program;
}

function configOption(): Option {
  return new Option('-c, --config <file>', 'configuration file, YAML or JSON').env('REELKIT_CONFIG');
}

function addServiceCommands(program: Command): void {
  const services = [
    ['serve', 'Run everything in one process: the HTTP API and the Temporal worker', { api: true, worker: true }],
    ['api', 'Run the HTTP API alone', { api: true, worker: false }],
    ['worker', 'Run the Temporal worker alone', { api: false, worker: true }],
  ] as const;
  for (const [name, description, parts] of services) {
    program
      .command(name)
      .description(description)
      .addOption(configOption())
      .action(async (options: { config?: string }) => (await import('./serve.ts')).serve(parts, options));
  }
}
