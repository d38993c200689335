// Where keys come from: the configuration, or a file that is made once, whoever starts first.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findKeyring, keyFileOf, loadKeyring } from '../../../src/temporal/keys.ts';

const KEY = Buffer.alloc(32, 7).toString('base64');
const OTHER = Buffer.alloc(32, 8).toString('base64');

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'reelkit-keys-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('with nothing configured', () => {
  it('a key is made at the first start, for the owner alone, and is the same at the next', () => {
    const file = join(folder, 'state', 'encryption-keys');
    const first = loadKeyring({ keyFile: file });
    expect(first.from).toEqual({ file, created: true });
    expect(first.keys[0].key).toHaveLength(32);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(loadKeyring({ keyFile: file })).toEqual({ ...first, from: { file, created: false } });
    expect(readdirSync(join(folder, 'state'))).toEqual(['encryption-keys']);
  });

  it('no two installations make keys of one name', () => {
    const ids = ['a', 'b'].map((name) => loadKeyring({ keyFile: join(folder, name) }).keys[0].id);
    expect(new Set(ids).size).toBe(2);
  });

  it('the file is in the state directory of the service, of the user, or under the home', () => {
    expect(keyFileOf({}, { STATE_DIRECTORY: '/var/lib/reelkit:/x' })).toBe('/var/lib/reelkit/encryption-keys');
    expect(keyFileOf({}, { XDG_STATE_HOME: '/x/state' })).toBe('/x/state/reelkit/encryption-keys');
    expect(keyFileOf({}, { HOME: '/home/me' })).toBe('/home/me/.local/state/reelkit/encryption-keys');
    expect(keyFileOf({ keyFile: '/keys' }, { STATE_DIRECTORY: '/var/lib/reelkit' })).toBe('/keys');
  });

  it('looking alone makes nothing', () => {
    expect(findKeyring({ keyFile: join(folder, 'keys') })).toBeUndefined();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('a place that cannot be written is named with the ways out', () => {
    writeFileSync(join(folder, 'file'), '');
    expect(() => loadKeyring({ keyFile: join(folder, 'file', 'keys') })).toThrow(/cannot be (made|read).*ENOTDIR/);
    mkdirSync(join(folder, 'folder'));
    expect(() => loadKeyring({ keyFile: join(folder, 'folder') })).toThrow(/EISDIR/);
  });
});

describe('processes that start at the same moment', () => {
  it('end with one key, which one of them made', async () => {
    const script = fileURLToPath(new URL('./make-key.ts', import.meta.url));
    const file = join(folder, 'new', 'encryption-keys');
    const atMs = String(Date.now() + 1_500);
    const answers = await Promise.all(
      Array.from({ length: 4 }, () => execa(process.execPath, ['--import', 'tsx', script, file, atMs])),
    );
    const made = answers.map(({ stdout }) => JSON.parse(stdout) as { id: string; created: boolean });
    expect(new Set(made.map(({ id }) => id)).size).toBe(1);
    expect(made.filter(({ created }) => created)).toHaveLength(1);
    expect(readdirSync(join(folder, 'new'))).toEqual(['encryption-keys']);
  }, 30_000);
});

describe('a key file', () => {
  const write = (text: string) => {
    const file = join(folder, 'keys');
    writeFileSync(file, text);
    return file;
  };

  it('may hold several keys: the first one encrypts', () => {
    const { keys } = loadKeyring({ keyFile: write(`# comment\n\nnew ${OTHER}\n old\t${KEY} \r\n`) });
    expect(keys.map(({ id }) => id)).toEqual(['new', 'old']);
  });

  it.each([
    ['', /holds no key/],
    [`a ${KEY}\na ${OTHER}\n`, /names key "a" twice/],
    [`a ${KEY}\nb short\n`, /line 2 of the key file .*openssl rand -base64 32/],
    [`${KEY}\n`, /line 1/],
    [Array.from({ length: 17 }, (_, index) => `k${index} ${KEY}`).join('\n'), /at most 16/],
  ])('that is wrong is named by its line and never quoted: %#', (text, expected) => {
    const file = write(text);
    expect(() => loadKeyring({ keyFile: file })).toThrow(expected);
    expect(() => loadKeyring({ keyFile: file })).not.toThrow(KEY.slice(0, 8));
    expect(readFileSync(file, 'utf8')).toBe(text);
  });
});

describe('keys of the configuration', () => {
  it('are taken as they are or from a file each, and no key file is made', () => {
    writeFileSync(join(folder, 'one'), `${OTHER}\n`);
    const keys = [
      { id: 'now', keyFile: join(folder, 'one') },
      { id: 'before', key: KEY },
    ];
    const ring = loadKeyring({ keys, keyFile: join(folder, 'unused') });
    expect(ring.keys.map(({ id, key }) => [id, Buffer.from(key).toString('base64')])).toEqual([
      ['now', OTHER],
      ['before', KEY],
    ]);
    expect(ring.from).toEqual({ configuration: true });
    expect(readdirSync(folder)).toEqual(['one']);
  });

  it('whose file is missing or holds something else are named', () => {
    const missing = () => loadKeyring({ keys: [{ id: 'now', keyFile: join(folder, 'none') }] });
    expect(missing).toThrow(/encryption key "now": .*none does not exist/);
    writeFileSync(join(folder, 'odd'), 'not-a-key');
    const odd = () => loadKeyring({ keys: [{ id: 'now', keyFile: join(folder, 'odd') }] });
    expect(odd).toThrow(/does not hold 32 bytes/);
    expect(odd).not.toThrow(/not-a-key/);
  });
});
