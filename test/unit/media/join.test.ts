// What a join of parts decides: from lengths alone, and from the times of their packets.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type JoinPart, planJoin } from '../../../src/media/join.ts';
import type { Packets } from '../../../src/media/packets.ts';
import { type SplicePart, splice, type Take } from '../../../src/media/splice.ts';

function part(file: string, startedAtMs: number, durationMs: number): JoinPart {
  return { file, startedAtMs, durationMs };
}

describe('the plan of a join', () => {
  it('cuts a part where the next one begins, and tells what both have', () => {
    expect(planJoin([part('b', 15_000, 20_000), part('a', 0, 20_000)])).toEqual([
      { file: 'a', lengthMs: 15_000, gapBeforeMs: 0, overlapMs: 0 },
      { file: 'b', lengthMs: 20_000, gapBeforeMs: 0, overlapMs: 5_000 },
    ]);
  });

  it('tells a gap', () => {
    expect(planJoin([part('a', 0, 20_000), part('b', 51_000, 9_000)])[1]).toEqual({
      file: 'b',
      lengthMs: 9_000,
      gapBeforeMs: 31_000,
      overlapMs: 0,
    });
  });

  it.each([
    ['in the middle', 5_000, 5_000],
    ['at its beginning', 0, 5_000],
    ['at its end', 15_000, 5_000],
    ['all of it', 0, 20_000],
  ])('leaves a part out that is wholly inside another: %s', (_, startedAtMs, durationMs) => {
    const plan = planJoin([part('inside', startedAtMs, durationMs), part('a', 0, 20_000)]);
    expect(plan).toHaveLength(1);
    expect(plan[0]?.lengthMs).toBe(20_000);
  });

  it('has every moment once that any part has, and no other', () => {
    const parts = fc.array(fc.record({ startedAtMs: fc.nat(60), durationMs: fc.integer({ min: 1, max: 30 }) }), {
      minLength: 1,
    });
    fc.assert(
      fc.property(parts, (times) => {
        const plan = planJoin(times.map((time, index) => ({ file: `${index}`, ...time })));
        const had = new Set(times.flatMap((time) => moments(time.startedAtMs, time.durationMs)));
        const has = plan.flatMap(({ file, lengthMs }) => moments(times[Number(file)]?.startedAtMs ?? 0, lengthMs));
        expect(has).toEqual([...had].sort((a, b) => a - b));
        expect(
          plan.every(({ lengthMs, gapBeforeMs, overlapMs }) => lengthMs > 0 && gapBeforeMs * overlapMs === 0),
        ).toBe(true);
      }),
    );
  });
});

function moments(fromMs: number, lengthMs: number): number[] {
  return Array.from({ length: lengthMs }, (_, index) => fromMs + index);
}

const PICTURE_US = 1_000_000 / 30;
const SOUND_US = (1_024 * 1_000_000) / 48_000;

interface Footage {
  fromUs: number;
  toUs: number;
  /** The sound begins so much later than the picture. */
  lateUs: number;
  /** Where its own clock begins. */
  clockUs: number;
  /** Its own clock is late, against another's. */
  jitterUs: number;
}

/** A part of an event with thirty pictures a second. */
function filmed({ fromUs, toUs, lateUs, clockUs, jitterUs }: Footage, before?: Footage): SplicePart {
  const first = Math.ceil(fromUs / PICTURE_US);
  const numbers = Array.from(
    { length: Math.max(1, Math.floor((toUs - fromUs) / PICTURE_US)) },
    (_, index) => first + index,
  );
  const startUs = first * PICTURE_US;
  const sounds = Math.max(1, Math.floor((toUs - startUs - lateUs) / SOUND_US));
  return {
    startedAtUs: Math.round((startUs + jitterUs) / 1_000) * 1_000,
    isAfterGap: before !== undefined && before.toUs <= fromUs,
    streams: {
      video: packets(
        numbers.map((number) => clockUs + number * PICTURE_US - startUs),
        PICTURE_US,
      ),
      audio: packets(
        Array.from({ length: sounds }, (_, index) => clockUs + lateUs + index * SOUND_US),
        SOUND_US,
      ),
    },
  };
}

function packets(times: readonly number[], lastUs: number): Packets {
  return { timesUs: times.map(Math.round), lastUs: Math.round(lastUs), silent: 0 };
}

/** When the packets are shown, and which of its part's each of them is. */
function shown(takes: readonly Take[], parts: readonly SplicePart[], kind: 'video' | 'audio') {
  return takes.flatMap(({ part: index, skip, count, atUs }) => {
    const timesUs = parts[index]?.streams[kind]?.timesUs ?? [];
    const taken = timesUs.slice(skip, skip + count);
    return taken.map((timeUs) => ({ index, timeUs, atUs: atUs + timeUs - (taken[0] ?? 0) }));
  });
}

const oneTake = fc.record({
  fromUs: fc.integer({ min: 0, max: 20_000_000 }),
  lengthUs: fc.integer({ min: 1_000_000, max: 8_000_000 }),
  lateUs: fc.integer({ min: -20_000, max: 150_000 }),
  clockUs: fc.constantFrom(0, 1_400_000, 3_600_000_000),
  jitterUs: fc.integer({ min: -2_000, max: 2_000 }),
});

/** Parts of one event, each of which ends later than those before it began and ended. */
const event = fc.array(oneTake, { minLength: 1, maxLength: 5 }).map((takes) => {
  const sorted = takes
    .map(({ lengthUs, ...take }) => ({ ...take, toUs: take.fromUs + lengthUs }))
    .sort((a, b) => a.fromUs - b.fromUs);
  return sorted.filter(({ fromUs, toUs }, index) =>
    sorted.slice(0, index).every((before) => before.fromUs + 500_000 < fromUs && before.toUs + 500_000 < toUs),
  );
});

describe('a splice', () => {
  const spliced = (takes: readonly Footage[]) => {
    const parts = takes.map((take, index) => filmed(take, takes[index - 1]));
    return { parts, ...splice(parts) };
  };

  it('has every picture once, and times that only grow', () => {
    fc.assert(
      fc.property(event, (takes) => {
        const { parts, takes: result } = spliced(takes);
        const numbers = shown(result.video, parts, 'video').map(({ index, timeUs }) => {
          const take = takes[index] as Footage;
          return Math.round((timeUs - take.clockUs) / PICTURE_US) + Math.ceil(take.fromUs / PICTURE_US);
        });
        expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
        const all = parts.flatMap(({ streams }, index) =>
          (streams.video?.timesUs ?? []).map((_, at) => Math.ceil((takes[index]?.fromUs ?? 0) / PICTURE_US) + at),
        );
        expect(numbers).toEqual([...new Set(all)].sort((a, b) => a - b));
        for (const kind of ['video', 'audio'] as const) {
          const times = shown(result[kind], parts, kind).map(({ atUs }) => atUs);
          expect(times.every((atUs, index) => index === 0 || atUs > (times[index - 1] ?? 0) + 1_000)).toBe(true);
          expect(times[0]).toBeGreaterThanOrEqual(0);
        }
      }),
    );
  });

  it('keeps picture and sound of every part together within half a frame of sound', () => {
    fc.assert(
      fc.property(event, (takes) => {
        const { parts, takes: result } = spliced(takes);
        for (const [index, { streams }] of parts.entries()) {
          const offsets = (['video', 'audio'] as const).flatMap((kind) =>
            result[kind]
              .filter((take) => take.part === index)
              .map(({ skip, atUs }) => atUs - (streams[kind]?.timesUs[skip] ?? 0)),
          );
          if (offsets.length === 2) expect(Math.abs((offsets[0] ?? 0) - (offsets[1] ?? 0))).toBeLessThan(10_700);
        }
      }),
    );
  });

  it('leaves no hole in sound that goes on', () => {
    const { parts, takes } = spliced([
      { fromUs: 0, toUs: 9_000_000, lateUs: 0, clockUs: 0, jitterUs: 0 },
      { fromUs: 5_000_000, toUs: 14_000_000, lateUs: 80_000, clockUs: 3_600_000_000, jitterUs: 700 },
    ]);
    const times = shown(takes.audio, parts, 'audio').map(({ atUs }) => atUs);
    for (const [index, atUs] of times.entries()) expect(Math.abs(atUs - index * SOUND_US)).toBeLessThan(3);
  });

  it('closes a gap: the next part follows at once', () => {
    const { takes, beginsUs } = spliced([
      { fromUs: 0, toUs: 9_000_000, lateUs: 0, clockUs: 0, jitterUs: 0 },
      { fromUs: 40_000_000, toUs: 49_000_000, lateUs: 0, clockUs: 0, jitterUs: 0 },
    ]);
    expect(takes.video[1]?.atUs).toBeLessThanOrEqual(9_000_000 + SOUND_US);
    expect(beginsUs[1]).toBe(takes.video[1]?.atUs);
  });

  it('goes on with the sound of a part whose successor has none', () => {
    const a = filmed({ fromUs: 0, toUs: 9_000_000, lateUs: 0, clockUs: 0, jitterUs: 0 });
    const b = filmed({ fromUs: 5_000_000, toUs: 14_000_000, lateUs: 0, clockUs: 0, jitterUs: 0 });
    delete b.streams.audio;
    expect(splice([a, b]).takes.audio).toEqual([{ part: 0, skip: 0, count: a.streams.audio?.timesUs.length, atUs: 0 }]);
  });

  it('cannot be copied where a picture that stays needs one that is cut off', () => {
    const at = (...pictures: number[]) =>
      packets(
        pictures.map((number) => number * PICTURE_US),
        PICTURE_US,
      );
    // Shown as 0 1 2 3 4 5 6, decoded as I P B B P B B.
    const withB = { startedAtUs: 0, isAfterGap: false, streams: { video: at(0, 3, 1, 2, 6, 4, 5) } };
    const next = (number: number) => ({
      startedAtUs: number * PICTURE_US,
      isAfterGap: false,
      streams: { video: at(0, 1, 2, 3, 4) },
    });
    expect([1, 2, 3, 4, 5, 6].filter((number) => splice([withB, next(number)]).isCopyable)).toEqual([1, 4]);
  });
});
