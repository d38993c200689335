// `node --import tsx src/dev/install.ts [names…]`: installs what the local stack needs and prints one line a component.
// Works before anything else of Reelkit does; Ctrl-C leaves no half-installed component and no lock.
import { messageOf } from '../common/error-message.ts';
import { removeOwnLeftovers } from './components/store.ts';
import {
  awsComponentNames,
  type ComponentName,
  clusterComponentNames,
  componentNames,
  type Installed,
  installComponents,
} from './components.ts';
import { reportToStderr, reportToStdout } from './reporter.ts';

const exitStatusOf = { SIGINT: 130, SIGTERM: 143 } as const;

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  // Not `once`: execa would then see itself as the only listener and end the process before the clean-up.
  process.on(signal, () => {
    reportToStderr(`${signal}: installation given up`);
    void removeOwnLeftovers().finally(() => process.exit(exitStatusOf[signal]));
  });
}

try {
  const installed = await installComponents(chosenNames(process.argv.slice(2)), reportToStderr);
  for (const line of installed.map(formatLine)) reportToStdout(line);
} catch (error) {
  reportToStderr(messageOf(error));
  process.exitCode = 1;
}

function chosenNames(args: string[]): ComponentName[] {
  const known: readonly string[] = [...componentNames, ...clusterComponentNames, ...awsComponentNames];
  const unknown = args.filter((name) => !known.includes(name));
  if (unknown.length > 0) throw new Error(`unknown: ${unknown.join(', ')}; known are ${known.join(', ')}`);
  return (args.length > 0 ? args : known) as ComponentName[];
}

function formatLine({ name, version, from, seconds }: Installed): string {
  return `${name.padEnd(22)}${version.padEnd(16)}${from.padEnd(50)}${seconds.toFixed(1)} s`;
}
