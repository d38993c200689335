// The commands of the CLI: names, arguments and help. What a command does is in the file of its name, loaded when it runs.
import { Command, Option } from 'commander';

const ENVIRONMENT_HELP = `
Environment:
  REELKIT_URL                            where the API runs (http://127.0.0.1:8080)
  LIVEKIT_API_KEY, LIVEKIT_API_SECRET    keys of the LiveKit server; sign the token for the API
  REELKIT_TOKEN                          a ready token, instead of the keys
  REELKIT_CONFIG                         configuration file of the service
  TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE   and all other TEMPORAL_* of Temporal's own tools

Exit codes: 0 done, 1 failed, 2 called wrongly.`;

export function buildProgram(): Command {
  const program = new Command('reelkit')
    .description('Durable, autoscaled recording for self-hosted LiveKit, on Temporal.')
    .exitOverride()
    .showHelpAfterError('(--help shows what is possible)')
    .enablePositionalOptions()
    .addHelpText('after', ENVIRONMENT_HELP);
  addServiceCommands(program);
  addRecordingCommands(program);
  addFleetCommands(program);
  addWebhookCommands(program);
  addToolCommands(program);
  return program;
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
      .helpGroup('Service:')
      .description(description)
      .addOption(configOption())
      .addHelpText('after', '\nEnds in order on SIGTERM or SIGINT; a second signal ends it at once.')
      .action(async (options) => (await import('./serve.ts')).serve(parts, options));
  }
}

function addRecordingCommands(program: Command): void {
  const recordings = () => import('./recordings.ts');
  client(program.command('record <room>'), 'Request the recording of a room')
    .option('--layout <name>', 'layout of the room composite, for example grid or speaker')
    .option('--audio-only', 'record sound only; costs a quarter of the CPU')
    .option('--participant <identity>', 'record this participant instead of the whole room')
    .option('--path <template>', 'where to store it, with {room} {recording} {date} {time} {retry}')
    .option('--storage <name>', 'storage of the configuration; its default otherwise')
    .option('--start-at <time>', 'begin at this time, ISO 8601 with zone')
    .option('--start-within <duration>', 'give up when no worker is found by then (15m)')
    .option('--max-duration <duration>', 'stop after this long (6h)')
    .option('--priority <1-5>', '1 is served first, 5 last (3)')
    .option('--fleet <name>', 'the fleet that records it; a rule or the first one decides otherwise')
    .option('--tenant <name>', 'for whom it is')
    .addOption(labelOption('attach a label; may be repeated'))
    .option('--webhook <url>', 'tell this address of every change of stage, signed as LiveKit signs')
    .option('--key <key>', 'Idempotency-Key: the same key and options name the same recording')
    .option('--wait', 'print each stage until the recording has ended; exit 1 when it failed')
    .addHelpText(
      'after',
      '\nExamples:\n  reelkit record lesson --max-duration 1h --label course=7\n  reelkit record lesson --participant teacher --wait',
    )
    .action(async (room, options) => (await recordings()).record(room, options));

  client(program.command('ls'), 'List recordings: open ones first')
    .option('--stage <stage>', 'only this stage, for example waiting or recording')
    .option('--room <room>', 'only this room')
    .option('--fleet <name>', 'only this fleet')
    .option('--tenant <name>', 'only this tenant')
    .addOption(labelOption('only with this label; may be repeated'))
    .option('--limit <n>', 'at most this many, up to 200 (50)')
    .option('--page-token <token>', 'the next page, as the page before printed it')
    .action(async (options) => (await recordings()).ls(options));

  client(program.command('show <id>'), 'Show one recording: stage, reason, parts and files').action(
    async (id, options) => (await recordings()).showOne(id, options),
  );

  client(program.command('cancel <id>'), 'Cancel a recording; what was recorded is finished and kept').action(
    async (id, options) => (await recordings()).cancel(id, options),
  );

  client(program.command('pause <id>'), 'Leave out what comes, until it is resumed').action(async (id, options) =>
    (await recordings()).pause(id, options),
  );

  client(program.command('resume <id>'), 'Go on with a paused recording').action(async (id, options) =>
    (await recordings()).resume(id, options),
  );

  client(program.command('extend <id>'), 'Let a recording run longer; 24 hours is the longest')
    .option('--by <duration>', 'this much longer, for example 30m')
    .option('--until <time>', 'until this time, ISO 8601 with zone')
    .action(async (id, options) => (await recordings()).extend(id, options));
}

function addFleetCommands(program: Command): void {
  const fleet = client(
    program.command('fleet [name]'),
    'Show the egress workers, demand and capacity of all fleets, or of one',
  ).action(async (name, options) => (await import('./fleet.ts')).showFleet(name, options));
  client(fleet.command('explain [name]'), 'Show the last decisions of the fleets, with their reasons').action(
    async (name, _, command: Command) => (await import('./fleet.ts')).explain(name, command.optsWithGlobals()),
  );
  client(fleet.command('boots [name]'), 'Show how long the last workers took until they were ready').action(
    async (name, _, command: Command) => (await import('./fleet.ts')).boots(name, command.optsWithGlobals()),
  );
  client(fleet.command('forgive <worker>'), 'Use a worker again that was set aside').action(
    async (worker, _, command: Command) => (await import('./fleet.ts')).forgive(worker, command.optsWithGlobals()),
  );
  client(fleet.command('drain <worker>'), 'Move what a worker records to others, and end it').action(
    async (worker, _, command: Command) => (await import('./fleet.ts')).drain(worker, command.optsWithGlobals()),
  );
  client(program.command('repair'), 'Show and end records in LiveKit that say an egress runs although nobody runs it')
    .option('--yes', 'end them without asking')
    .option('--older-than <duration>', 'leave alone what changed since then (2m)')
    .action(async (options) => (await import('./repair.ts')).repair(options));
}

function addWebhookCommands(program: Command): void {
  const webhooks = () => import('./webhooks.ts');
  const group = program
    .command('webhooks')
    .helpGroup('Recordings and fleet:')
    .description("See how Reelkit's webhooks fared, and send them again");
  client(group.command('show <id>'), 'Show the events of a recording and how each was delivered').action(
    async (id, options) => (await webhooks()).showWebhooks(id, options),
  );
  client(group.command('replay <id>'), 'Send the events of a recording again: the same ids, newly signed')
    .option('--event <n>', 'only this one, by its number')
    .option('--failed', 'only what failed')
    .action(async (id, options) => (await webhooks()).replay(id, options));
  client(group.command('failed'), 'List recordings of which a webhook was given up')
    .option('--limit <n>', 'at most this many, up to 200 (50)')
    .action(async (options) => (await webhooks()).failedWebhooks(options));
}

function addToolCommands(program: Command): void {
  program
    .command('token')
    .helpGroup('Tools:')
    .description('Print an access token for the API')
    .addOption(configOption())
    .option('--ttl <duration>', 'valid this long', '1h')
    .option('--room <room>', 'only for recordings of this room')
    .option('--identity <name>', 'who it is for; appears where somebody cancels')
    .addHelpText('after', '\nExample:\n  curl -H "Authorization: Bearer $(reelkit token)" $REELKIT_URL/v1/recordings')
    .action(async (options) => (await import('./token.ts')).token(options));

  program
    .command('doctor')
    .helpGroup('Tools:')
    .description('Check Temporal, LiveKit, the fleet, storage and webhooks, and say what to fix')
    .addOption(configOption())
    .option('--json', 'print the checks as JSON')
    .action(async (options) => (await import('./doctor.ts')).doctor(options));
}

/** What every command that talks to the API takes. */
function client(command: Command, description: string): Command {
  return command
    .helpGroup('Recordings and fleet:')
    .description(description)
    .option('--url <url>', 'where the API runs; otherwise REELKIT_URL')
    .addOption(configOption())
    .option('--json', 'print JSON instead of a table');
}

function configOption(): Option {
  return new Option('-c, --config <file>', 'configuration file, YAML or JSON; otherwise REELKIT_CONFIG');
}

function labelOption(description: string): Option {
  return new Option('--label <key=value>', description).argParser((value: string, before: string[] = []) => [
    ...before,
    value,
  ]);
}
