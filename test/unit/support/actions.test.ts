// What a recording costs in Temporal actions, by the histories that are replayed.
import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { countActions } from '../../support/actions.ts';

it.each([
  ['completed', 8],
  ['max-duration', 9],
])('a recording of an hour, %s, costs %i actions', async (name, most) => {
  const file = new URL(`../../histories/${name}.json`, import.meta.url);
  expect(countActions(JSON.parse(await readFile(file, 'utf8'))).total).toBeLessThanOrEqual(most);
});
