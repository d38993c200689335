// reelkit serve | api | worker: the service until a signal ends it.
import { loadConfig } from '../config/load.ts';
import { redactConfig } from '../config/secrets.ts';
import { type ServiceParts, startService } from '../service/service.ts';
import { stopOnSignals } from '../service/shutdown.ts';
import { createLog } from '../telemetry/log.ts';
import { CliError } from './errors.ts';

export async function serve(parts: ServiceParts, options: { config?: string }): Promise<void> {
  const config = loadConfig(options.config);
  const log = createLog(config.logLevel);
  log.info({ config: redactConfig(config) }, 'reelkit starts');
  const service = await startService(config, parts, log).catch((error: Error) => {
    throw new CliError(error.message);
  });
  stopOnSignals(() => void service.stop(), log);
  try {
    await service.done;
  } catch (err) {
    log.fatal({ err }, err instanceof Error ? err.message : 'the service failed');
    process.exitCode = 1;
    await service.stop();
  }
  // What may still hold the process open, such as a request that overran its limit, was reported by its phase.
  process.exit();
}
