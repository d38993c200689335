// The documentation says what the code says: every configuration key with its default and variable, every metric, every end
// reason; and no link leads nowhere.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { ERROR_CODES } from '../../../src/api/errors.ts';
import { configSchema } from '../../../src/config/schema.ts';
import { SEARCH_ATTRIBUTES } from '../../../src/recording/search-attributes.ts';
import { END_REASONS } from '../../../src/recording/stage.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';

const root = resolve(import.meta.dirname, '../../..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');

interface Schema {
  default?: unknown;
  properties?: Record<string, Schema>;
  additionalProperties?: Schema | boolean;
  items?: Schema;
  oneOf?: Schema[];
  anyOf?: Schema[];
}

interface Key {
  path: string;
  fallback?: unknown;
}

/** Every leaf of the schema as it is written in the file: `storages.<name>.bucket`, `fleet.capacity.workers[].id`. */
function keysOf(schema: Schema, path = ''): Key[] {
  const { properties, additionalProperties, items, oneOf, anyOf } = schema;
  const variants = oneOf ?? anyOf;
  if (variants) return variants.flatMap((variant) => keysOf(variant, path));
  if (properties) {
    return Object.entries(properties).flatMap(([name, inner]) => keysOf(inner, path ? `${path}.${name}` : name));
  }
  if (items?.properties) return keysOf(items, `${path}[]`);
  if (typeof additionalProperties === 'object' && (additionalProperties.oneOf || additionalProperties.properties)) {
    return keysOf(additionalProperties, `${path}.<name>`);
  }
  return [{ path, fallback: schema.default }];
}

const schema = z.toJSONSchema(configSchema, { io: 'input', unrepresentable: 'any' }) as Schema;
/** Each of several fleets has the keys of the one. */
const all = keysOf(schema).map((key) => ({ ...key, path: key.path.replace(/^fleets\[\]/, 'fleet') }));
const keys = [...new Map(all.map((key) => [key.path, key])).values()];
const rows = read('docs/configuration.md')
  .split('\n')
  .filter((line) => line.startsWith('| `'))
  .map((line) => line.split('|').map((cell) => cell.trim()));
const rowOf = (path: string) => rows.find(([, key]) => key === `\`${path}\``);

describe('docs/configuration.md', () => {
  test('the schema has the keys it should', () => {
    expect(keys.map(({ path }) => path)).toContain('fleet.capacity.workers[].healthUrl');
    expect(keys.map(({ path }) => path)).toContain('storages.<name>.containerName');
  });

  test.each(keys)('explains $path with its default', ({ path, fallback }) => {
    const row = rowOf(path);
    expect(row, `no row for ${path}`).toBeDefined();
    const shown = fallback === undefined || fallback === '' ? undefined : String(fallback);
    if (shown !== undefined && typeof fallback !== 'object') expect(row?.[3]).toContain(`\`${shown}\``);
  });

  test('explains no key that does not exist', () => {
    const known = new Set(keys.map(({ path }) => path));
    for (const [, key] of rows) expect(known).toContain(key?.replaceAll('`', ''));
  });

  test('names the variable of each key that has one', () => {
    const mapped = [...read('src/config/environment.ts').matchAll(/^ {2}([A-Z_]+): '([\w.]+)',$/gm)];
    expect(mapped.length).toBeGreaterThan(10);
    for (const [, variable, path] of mapped) expect(rowOf(path ?? '')?.[2]).toBe(`\`${variable}\``);
  });
});

describe('docs/operations.md', () => {
  const operations = read('docs/operations.md');

  test('names no metric of Reelkit that does not exist', async () => {
    const exported = await createMetrics().text();
    for (const [name] of operations.matchAll(/reelkit_[a-z_]+[a-z]/g)) {
      const base = name.replace(/_(bucket|sum|count)$/, '');
      expect(base === 'reelkit_recordings' || exported.includes(`# TYPE ${base} `), name).toBe(true);
    }
  });

  test('names only search attributes that exist', () => {
    for (const [name] of operations.matchAll(/\bRecording(?!Ended)[A-Z]\w+/g)) {
      expect(Object.keys(SEARCH_ATTRIBUTES)).toContain(name);
    }
  });
});

describe('docs/api.md', () => {
  const api = read('docs/api.md');

  test.each(END_REASONS)('explains the end reason %s', (reason) => {
    expect(api).toContain(`| \`${reason}\` |`);
  });

  test.each(Object.keys(ERROR_CODES))('names the error code %s', (code) => {
    expect(api).toContain(`\`${code}\``);
  });
});

test.each(['README.md', 'CONTRIBUTING.md', 'deploy/compose/README.md', ...markdownIn('docs')])(
  'every link of %s leads to a file',
  (file) => {
    const links = [...read(file).matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, link]) => link ?? '');
    for (const link of links) expect(existsSync(join(root, dirname(file), link)), link).toBe(true);
  },
);

function markdownIn(folder: string): string[] {
  return readdirSync(join(root, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `${folder}/${name}`);
}
