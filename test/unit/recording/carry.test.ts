// What one run of a workflow hands to the next.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { carry, restore } from '../../../src/recording/carry.ts';

class Inner {
  ids = new Set<string>();
  count = 0;
  get size() {
    return this.ids.size + this.count;
  }
}
class Held {
  readonly input = { big: true };
  inner = new Inner();
  byNumber = new Map<number, { text: string; more?: string[] | undefined }>();
  plain: unknown = {};
  maybe: number | undefined;
}

describe('what is carried', () => {
  it('is all of it, through JSON, and objects of classes stay objects of their classes', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.string()),
        fc.array(fc.tuple(fc.nat(), fc.record({ text: fc.string() }))),
        fc.jsonValue(),
        fc.option(fc.nat(), { nil: undefined }),
        (ids, entries, plain, maybe) => {
          const held = new Held();
          for (const id of ids) held.inner.ids.add(id);
          held.inner.count = ids.length;
          held.byNumber = new Map(entries);
          held.plain = JSON.parse(JSON.stringify(plain));
          held.maybe = maybe;
          const next = new Held();
          restore(next, JSON.parse(JSON.stringify(carry(held))));
          expect(next).toEqual(held);
          expect(next.inner.size).toBe(ids.length * 2);
        },
      ),
    );
  });

  it('leaves out what it is told to', () => {
    expect(carry(new Held(), ['input'])).not.toHaveProperty('input');
  });
});
