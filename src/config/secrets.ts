// What must not be shown of a configuration.
import { shownAddress } from '../recording/webhooks/receivers.ts';
import type { Config } from './schema.ts';

/**
 * By the last part of a key; of encryption.keys by the whole of it: a key may stand where its id belongs. What a process gets as its
 * environment is hidden whole: nobody knows by the names which variables are secrets. The address of a webhook is often its password.
 */
const SECRET_KEY =
  /secret|accessKey|accountKey|credentials|token|password|^key$|^encryption\.keys|\.env\.|^webhooks\.receivers\.\d+\.url$/i;
export const HIDDEN = '(hidden)';

export function isSecretKey(key: string): boolean {
  return SECRET_KEY.test(key);
}

/** For logs and `doctor`: the configuration with every secret replaced. */
export function redactConfig(config: Config): unknown {
  const { receivers } = config.webhooks;
  const webhooks = { ...config.webhooks, receivers: receivers.map((one) => ({ ...one, url: shownAddress(one.url) })) };
  return JSON.parse(JSON.stringify({ ...config, webhooks }, hide));
}

/** For JSON.stringify. */
export function hide(key: string, value: unknown): unknown {
  if (key === 'env' && typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.keys(value).map((name) => [name, HIDDEN]));
  if (typeof value !== 'string' || value === '') return value;
  return SECRET_KEY.test(key) ? HIDDEN : hideInUrls(value);
}

/** Users, passwords and queries. A Redis, or a page, is often written as a URL with its password in it. */
function hideInUrls(text: string): string {
  return text
    .replaceAll(/(\w:\/\/)[^\s"]*@/g, `$1${HIDDEN}@`)
    .replace(/^[^/@\s]*:(?!\/\/)[^@\s]*@/, `${HIDDEN}@`)
    .replaceAll(/(:\/\/[^\s"?]*\?)[^\s"]*/g, '$1…');
}
