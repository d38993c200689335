// reelkit doctor: asks everything Reelkit depends on, and says what to fix. Leaves nothing behind.
import { loadConfig } from '../config/load.ts';
import { runChecks } from '../service/doctor/doctor.ts';
import type { CheckResult } from '../service/doctor/result.ts';
import { CliError } from './errors.ts';
import { printJson, stdout } from './print.ts';

export async function doctor(options: { config?: string; json?: boolean }): Promise<void> {
  const results = await runChecks(loadConfig(options.config));
  if (options.json) printJson(results);
  else stdout.write(results.map((result) => `${wordFor(result)}  ${result.name}: ${result.detail}\n`).join(''));
  const failed = results.filter(({ ok }) => !ok);
  if (failed.length > 0) throw new CliError(`${failed.length} of ${results.length} checks failed`);
  // The connection to Temporal is closed; a lingering keep-alive socket must not hold the command.
  process.exit(0);
}

function wordFor({ ok, warning }: CheckResult): string {
  if (!ok) return 'FAIL';
  return warning ? 'warn' : 'ok  ';
}
