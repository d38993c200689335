// What must not be shown of a configuration.
import type { Config } from './schema.ts';

/** By the last part of a key; of encryption.keys by the whole of it: a key may stand where its id belongs. */
const SECRET_KEY = /secret|accessKey|accountKey|credentials|token|password|^key$|^encryption\.keys/i;
export const HIDDEN = '(hidden)';

export function isSecretKey(key: string): boolean {
  return SECRET_KEY.test(key);
}

/** For logs and `doctor`: the configuration with every secret replaced. */
export function redactConfig(config: Config): unknown {
  return JSON.parse(JSON.stringify(config, hide));
}

/** For JSON.stringify. A Redis is often written as a URL with its password in it. */
export function hide(key: string, value: unknown): unknown {
  if (typeof value !== 'string' || value === '') return value;
  return SECRET_KEY.test(key) ? HIDDEN : value.replace(/^(\w+:\/\/)?[^/@\s]*:[^@\s]*@/, `$1${HIDDEN}@`);
}
