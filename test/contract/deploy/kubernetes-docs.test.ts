// docs/kubernetes.md names only values that the chart has, and only reasons that Reelkit gives.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { chart, root } from '../../support/chart.ts';

interface Schema {
  $ref?: string;
  properties?: Record<string, Schema>;
  additionalProperties?: unknown;
  allOf?: Schema[];
  definitions?: Record<string, Schema>;
}

const docs = readFileSync(join(root, 'docs/kubernetes.md'), 'utf8');
const schema = JSON.parse(readFileSync(join(chart, 'values.schema.json'), 'utf8')) as Schema;

/** Whether the schema knows the path; an object that says nothing of its keys knows all. */
function knows(at: Schema, path: string[]): boolean {
  const [key, ...rest] = path;
  if (key === undefined) return true;
  if (at.$ref !== undefined) return knows(schema.definitions?.[at.$ref.replace('#/definitions/', '')] ?? {}, path);
  if (at.allOf) return at.allOf.some((one) => knows(one, path));
  if (at.properties === undefined) return true;
  const inner = at.properties[key];
  return inner === undefined ? false : knows(inner, rest);
}

const sections = Object.keys(schema.properties ?? {}).join('|');
const named = [
  ...new Set([...docs.matchAll(new RegExp(`\`((?:${sections})(?:\\.\\w+)+)`, 'g'))].map(([, path]) => path)),
];

describe('docs/kubernetes.md', () => {
  test('names many values', () => {
    expect(named).toContain('egress.configVersion');
    expect(named.length).toBeGreaterThan(25);
  });

  // A key of reelkit.yaml, which the chart writes, and a file.
  const others = /^(fleet\.capacity|egress\.yaml)/;
  test.each(named.filter((path) => !others.test(path ?? '')))('%s is a value of the chart', (path) => {
    expect(knows(schema, path?.split('.') ?? [])).toBe(true);
  });

  const folder = join(root, 'src/capacity/kubernetes');
  const files = readdirSync(folder).map((file) => join(folder, file));
  const source = files.map((file) => readFileSync(file, 'utf8')).join('\n');

  test.each([
    'no node yet:',
    'image pull failing (',
    'cannot be started (',
    'crash loop:',
    'probe failing:',
    'evicted:',
    'its node does not answer (NodeNotReady)',
    'there is no PodTemplate',
    'requests no cpu',
    'has no port named',
    'reelkit.dev/fleet',
    'reelkit.dev/busy',
    'cluster-autoscaler.kubernetes.io/safe-to-evict',
    'karpenter.sh/do-not-disrupt',
  ])('explains "%s" in the words of the provider', (words) => {
    expect(docs).toContain(words);
    expect(source).toContain(words);
  });
});
