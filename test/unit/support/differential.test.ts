// The differential run's own parts: what it takes for the same, what it finds, and that the documentation lists what is known.
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { differencesOf } from '../../e2e/differential/compare.ts';
import { explain, KNOWN_DIFFERENCES } from '../../e2e/differential/known-differences.ts';
import { normaliser } from '../../e2e/differential/normalise.ts';

const root = resolve(import.meta.dirname, '../../..');

describe('the known differences', () => {
  it('are those that docs/livekit.md lists, by their ids', () => {
    const listed = readFileSync(join(root, 'docs/livekit.md'), 'utf8')
      .split('\n')
      .flatMap((line) => /^\| `([a-z-]+)` \|/.exec(line)?.[1] ?? []);
    expect(listed.toSorted()).toEqual(KNOWN_DIFFERENCES.map(({ id }) => id).sort());
  });

  it('are each shown somewhere', () => {
    for (const { id, seen, shownBy } of KNOWN_DIFFERENCES) {
      expect(
        [seen, shownBy].filter((where) => where !== undefined),
        id,
      ).toHaveLength(1);
      if (shownBy) expect(existsSync(join(root, shownBy)), shownBy).toBe(true);
    }
  });

  it('explain nothing but themselves', () => {
    const late = { at: 'lists › stop, it took', plain: "LiveKit's 3 s", reelkit: 'no time' };
    expect(explain(late)).toBe('ended-at-once');
    expect(explain({ ...late, plain: 'no time', reelkit: "LiveKit's 3 s" })).toBeUndefined();
    expect(explain({ at: 'a › start.ok.status', plain: 'EGRESS_ACTIVE' })).toBeUndefined();
  });
});

describe('comparing', () => {
  it('names each leaf that one side alone has, or has otherwise', () => {
    const plain = { a: { start: { ok: { status: 'X', list: [1, 2] } } }, b: { stop: 'same' } };
    const reelkit = { a: { start: { ok: { status: 'Y', list: [1] } }, more: 3 }, b: { stop: 'same' } };
    expect(differencesOf(plain, reelkit)).toEqual([
      { at: 'a › start.ok.status', plain: 'X', reelkit: 'Y' },
      { at: 'a › start.ok.list.1', plain: 2 },
      { at: 'a › more', reelkit: 3 },
    ]);
  });
});

describe('normalising', () => {
  const normal = normaliser({ recordingsDir: '/rec', hooksUrl: 'http://hooks' });

  it('numbers ids as they come, and keeps the names around times', () => {
    expect(normal({ egressId: 'EG_abcdefghijkl', startedAt: '123', name: '/rec/a-2026-11-25T080000.mp4' })).toEqual({
      egressId: 'EG_<1>',
      startedAt: '<time>',
      name: '<dir>/a-<time>.mp4',
    });
    expect(normal(['EG_mnopqrstuvwx', 'EG_abcdefghijkl'])).toEqual(['EG_<2>', 'EG_<1>']);
  });

  it('leaves out what is finished of an egress that ends, and nothing of one that has ended', () => {
    const file = { filename: 'a', location: '/rec/a', size: '1' };
    expect(normal({ status: 'EGRESS_ENDING', fileResults: [file] })).toEqual({
      status: 'EGRESS_ENDING',
      fileResults: [{ filename: 'a' }],
    });
    expect(normal({ status: 'EGRESS_COMPLETE', fileResults: [file] })).toEqual({
      status: 'EGRESS_COMPLETE',
      fileResults: [{ filename: 'a', location: '<dir>/a', size: '<amount>' }],
    });
  });
});
