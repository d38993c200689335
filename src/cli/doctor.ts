// reelkit doctor: asks everything Reelkit depends on, and says what to fix. Changes nothing.
import { loadConfig } from '../config/load.ts';
import { runChecks } from '../service/doctor/doctor.ts';
import { CliError } from './errors.ts';
import { printJson, stdout } from './print.ts';

export async function doctor(options: { config?: string; json?: boolean }): Promise<void> {
  const results = await runChecks(loadConfig(options.config));
  if (options.json) printJson(results);
  else stdout.write(results.map(({ name, ok, detail }) => `${ok ? 'ok  ' : 'FAIL'}  ${name}: ${detail}\n`).join(''));
  const failed = results.filter(({ ok }) => !ok);
  if (failed.length > 0) throw new CliError(`${failed.length} of ${results.length} checks failed`);
  // The connection to Temporal is closed; a lingering keep-alive socket must not hold the command.
  process.exit(0);
}
