// The keys of the payload codec: from the configuration, or from a key file that the first process to start makes. Nothing here
// prints a key, and a key file is never written over.
import { createHash, randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, linkSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { PayloadKey, PayloadKeys } from './codec.ts';

/** The section `encryption` of the configuration. */
export interface EncryptionSettings {
  keys?: readonly KeySource[] | undefined;
  /** Used when `keys` is not given. */
  keyFile?: string | undefined;
}

/** One of the two: the key itself in base64, or a file that holds just that. */
export interface KeySource {
  id: string;
  key?: string | undefined;
  keyFile?: string | undefined;
}

export interface Keyring {
  keys: PayloadKeys;
  /** For the log: where the keys come from. */
  from: { configuration: true } | { file: string; created: boolean };
}

export const KEY_BYTES = 32;
const KEY_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
/** 32 bytes in base64, with or without padding. */
const KEY_TEXT = /^[A-Za-z0-9+/]{43}=?$/;
/** No rotation needs more, and every process reads them all. */
export const MAX_KEYS = 16;
const FILE_HEADER = `# Keys with which Reelkit encrypts what Temporal stores, one a line: <id> <32 bytes in base64>. The first one
# encrypts, all of them decrypt. Every Reelkit process needs this file; without it nothing of what is stored can be read.
`;

export function isKeyId(id: string): boolean {
  return KEY_ID.test(id);
}

export function isKeyText(key: string): boolean {
  return KEY_TEXT.test(key);
}

/**
 * With nothing configured the key file is made, once, whoever comes first.
 * @throws with the file and the remedy when a key cannot be read or made
 */
export function loadKeyring(settings: EncryptionSettings = {}, env: NodeJS.ProcessEnv = process.env): Keyring {
  if (settings.keys && settings.keys.length > 0) {
    return { keys: distinct(settings.keys.map(readSource), 'encryption.keys'), from: { configuration: true } };
  }
  const file = keyFileOf(settings, env);
  const created = readIfThere(file) === undefined && createKeyFile(file);
  return { keys: readKeyFile(file), from: { file, created } };
}

/** Changes nothing. @returns undefined when the key file will only be made at the first start */
export function findKeyring(
  settings: EncryptionSettings = {},
  env: NodeJS.ProcessEnv = process.env,
): Keyring | undefined {
  if (settings.keys && settings.keys.length > 0) return loadKeyring(settings, env);
  return readIfThere(keyFileOf(settings, env)) === undefined ? undefined : loadKeyring(settings, env);
}

/** `encryption.keyFile`, else `encryption-keys` in the state directory: systemd's, the user's XDG one, or ~/.local/state. */
export function keyFileOf({ keyFile }: EncryptionSettings, env: NodeJS.ProcessEnv = process.env): string {
  if (keyFile) return resolve(keyFile);
  const [ofService] = (env.STATE_DIRECTORY ?? '').split(':');
  const folder = ofService || join(env.XDG_STATE_HOME || join(env.HOME || homedir(), '.local', 'state'), 'reelkit');
  return join(folder, 'encryption-keys');
}

/**
 * Written whole beside its place and linked into it: whoever reads finds all of it or nothing, and the second of two processes
 * finds the first one's.
 * @returns false when another process was faster
 */
function createKeyFile(file: string): boolean {
  const unfinished = `${file}.${process.pid}.${randomBytes(4).toString('hex')}`;
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    writeFileSync(unfinished, newKeyFile(), { mode: 0o600, flag: 'wx', flush: true });
    linkSync(unfinished, file);
    keepName(dirname(file));
    return true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw new Error(
      `the key that encrypts what Temporal stores cannot be made in ${file} (${codeOf(cause)}): set encryption.keyFile (REELKIT_ENCRYPTION_KEY_FILE) to a file on a disk that lasts and that this process may write, or give keys in REELKIT_ENCRYPTION_KEYS`,
      { cause },
    );
  } finally {
    rmSync(unfinished, { force: true });
  }
}

/** What is encrypted from now on must not outlive the key in a power cut. */
function keepName(folder: string): void {
  const opened = openSync(folder, 'r');
  fsyncSync(opened);
  closeSync(opened);
}

function newKeyFile(): string {
  const key = randomBytes(KEY_BYTES);
  return `${FILE_HEADER}${fingerprint(key)} ${key.toString('base64')}\n`;
}

/** Two installations that each made a key must not have two keys of one name. */
function fingerprint(key: Uint8Array): string {
  return `k-${createHash('sha256').update('reelkit key id').update(key).digest('hex').slice(0, 12)}`;
}

function readKeyFile(file: string): PayloadKeys {
  const lines = (readIfThere(file) ?? '').split('\n').map((line, index) => ({ line: line.trim(), number: index + 1 }));
  const keys = lines
    .filter(({ line }) => line !== '' && !line.startsWith('#'))
    .map(({ line, number }) => {
      const [id = '', key = '', ...rest] = line.split(/\s+/);
      if (rest.length > 0 || !isKeyId(id) || !isKeyText(key)) {
        throw new Error(
          `line ${number} of the key file ${file} is not "<id> <32 bytes in base64>": correct it; a new key is made by \`openssl rand -base64 32\``,
        );
      }
      return { id, key: Buffer.from(key, 'base64') };
    });
  return distinct(keys, file);
}

function readSource(source: KeySource): PayloadKey {
  const text = source.key ?? readIfThere(source.keyFile ?? '')?.trim();
  if (text === undefined || !isKeyText(text)) {
    throw new Error(
      `encryption key "${source.id}": ${source.keyFile ?? 'it'} ${text === undefined ? 'does not exist' : 'does not hold 32 bytes in base64 and nothing else'}; make one with \`openssl rand -base64 32\`, or name the right file in encryption.keys`,
    );
  }
  return { id: source.id, key: Buffer.from(text, 'base64') };
}

function distinct(keys: PayloadKey[], where: string): PayloadKeys {
  const [first, ...others] = keys;
  if (!first)
    throw new Error(`${where} holds no key: add a line "<id> <32 bytes in base64>", or remove it to have one made`);
  if (keys.length > MAX_KEYS) throw new Error(`${where} holds ${keys.length} keys; at most ${MAX_KEYS} are possible`);
  const twice = keys.find(({ id }, index) => keys.findIndex((other) => other.id === id) !== index);
  if (twice) throw new Error(`${where} names key "${twice.id}" twice: give each key an id of its own`);
  return [first, ...others];
}

/** @returns undefined when there is no such file */
function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new Error(`the key file ${file} cannot be read (${codeOf(cause)}): let the user of this process read it`, {
      cause,
    });
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'unknown';
}
