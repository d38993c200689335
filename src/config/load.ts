// Reads a configuration. Environment wins over the file. Errors name the key, the value and the remedy; secrets are never printed.
import { applyEnvironment, fleetVariables } from './environment.ts';
import { ConfigError, describeIssue } from './problems.ts';
import { isRecord } from './raw.ts';
import { readConfigFile, sectionsOf } from './read.ts';
import { type Config, configSchema } from './schema.ts';

/**
 * @param file path of a YAML or JSON file; `REELKIT_CONFIG` when absent
 * @throws ConfigError naming each key, its value and the remedy
 */
export function loadConfig(file: string | undefined, env: NodeJS.ProcessEnv = process.env): Config {
  const path = file ?? env.REELKIT_CONFIG;
  if (path !== undefined) return parseConfig(readConfigFile(path), env);
  try {
    return parseConfig({}, env);
  } catch (error) {
    if (error instanceof ConfigError) throw new ConfigError([NO_FILE, ...error.problems]);
    throw error;
  }
}

const NO_FILE =
  'no configuration file: name one with --config or REELKIT_CONFIG; docs/configuration.md begins with one to copy';

export function parseConfig(fromFile: unknown, env: NodeJS.ProcessEnv = {}): Config {
  const raw = structuredClone(sectionsOf(fromFile, 'the configuration'));
  // A section that is missing counts as empty: the errors then name the keys that belong in it.
  for (const section of ['livekit', 'workers', 'storages']) raw[section] ??= {};
  if (raw.fleets === undefined) raw.fleet ??= {};
  else requireOneWay(raw, env);
  for (const section of ['livekit', 'workers']) withRedis(raw[section]);
  const origins = applyEnvironment(raw, env);
  const parsed = configSchema.safeParse(raw);
  if (parsed.success) return parsed.data;
  throw new ConfigError(parsed.error.issues.map((issue) => describeIssue(issue, raw, origins)));
}

/** One fleet or several. */
function requireOneWay(raw: Record<string, unknown>, env: NodeJS.ProcessEnv): void {
  const both = 'fleet and fleets are both there: keep fleet for one, or fleets for several';
  const variables = fleetVariables(env).map(
    (variable) =>
      `${variable} is set, and there are several fleets: unset it, and write the number into the fleets it is for`,
  );
  const problems = [...(raw.fleet === undefined ? [] : [both]), ...variables];
  if (problems.length > 0) throw new ConfigError(problems);
}

function withRedis(section: unknown): void {
  if (isRecord(section)) section.redis ??= {};
}
