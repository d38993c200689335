// Which worker a recording is sent to, what this process remembers of what it sent, and when an egress is nowhere.
import { describe, expect, it, vi } from 'vitest';
import { createWorkerChoice, type WorkerChoiceOptions } from '../../../src/activities/choose-worker.ts';
import type { PartInspection } from '../../../src/activities/contract.ts';
import { type Doubt, nextDoubt } from '../../../src/fleet/doubt.ts';
import type { ObservedWorker, Sight } from '../../../src/fleet/observation.ts';
import { CORDON_SETTLE_MS } from '../../../src/fleet/policy.ts';
import { DISPATCH_LIMIT_MS } from '../../../src/livekit/workers.ts';
import { egress, worker } from '../../support/fleet.ts';

const onBus = (id: string, parts: Partial<ObservedWorker> = {}) =>
  worker(id, { topic: `t-${id}`, present: true, cordoned: false, ...parts });

function bed(sight: Sight | Sight[], options: WorkerChoiceOptions = {}) {
  const sights = Array.isArray(sight) ? [...sight] : [sight];
  const clock = { nowMs: 1_000_000 };
  const observe = vi.fn(async () => (sights.length > 1 ? sights.shift() : sights[0]) as Sight);
  return { clock, observe, choice: createWorkerChoice(observe, { now: () => clock.nowMs, ...options }) };
}

const noMarks = {
  cordoned: async () => new Set<string>(),
  doubts: async () => new Map<string, Doubt>(),
  doubt: async () => undefined,
  trust: async () => undefined,
  began: async () => undefined,
};

/** As the workers' Redis keeps them. */
function keptMarks() {
  const doubts = new Map<string, Doubt>();
  let nowMs = 1_000_000;
  return {
    marks: {
      ...noMarks,
      doubts: async () => doubts,
      doubt: async (topic: string) => void doubts.set(topic, nextDoubt(doubts.get(topic), 'not_taken', nowMs)),
      trust: async (topic: string) => void doubts.delete(topic),
    },
    at: (ms: number) => {
      nowMs = ms;
    },
  };
}

const see = (...workers: ObservedWorker[]): Sight => ({
  workers,
  activeEgresses: workers.flatMap(({ egresses }) => egresses.map(({ egressId }) => ({ egressId, onBus: true }))),
});

describe('the worker that is chosen', () => {
  it('is the fullest with room: busy before idle, so that large requests keep their room', async () => {
    const { choice } = bed(see(onBus('idle'), onBus('busy', { egresses: [egress('EG_1', 1)] })));
    expect(await choice.choose('r1', 2)).toEqual({ topic: 't-busy', id: 'busy' });
    expect(await choice.choose('r2', 4)).toEqual({ topic: 't-idle', id: 'idle' });
  });

  it('is one where something failed at once only when no other has room', async () => {
    const doubts = new Map([['t-failed', nextDoubt(undefined, 'fails', Date.now())]]);
    const choose = (...workers: ObservedWorker[]) =>
      bed(see(...workers), { marks: { ...noMarks, doubts: async () => doubts } }).choice.choose('r1', 2);
    expect(await choose(onBus('failed'), onBus('other'))).toEqual({ topic: 't-other', id: 'other' });
    expect(await choose(onBus('failed'))).toEqual({ topic: 't-failed', id: 'failed' });
  });

  it.each<[string, Partial<ObservedWorker>]>([
    ['is not ready', { state: 'draining' }],
    ['does not listen for starts', { present: false }],
    ['is cordoned', { cordoned: true }],
    ['has no topic', { topic: undefined as never }],
    ['is about to be ended by its platform', { endsAtMs: 5 }],
    ['is full', { egresses: [egress('EG_1', 3)] }],
  ])('is none that %s', async (_, parts) => {
    const { choice } = bed(see(onBus('a', parts)));
    expect(await choice.choose('r1', 1)).toHaveProperty('missing');
  });

  it('is none that was tried already', async () => {
    const { choice } = bed(see(onBus('a'), onBus('b')));
    expect(await choice.choose('r1', 4, { not: new Set(['t-a']) })).toMatchObject({ id: 'b' });
    expect(await choice.choose('r1', 4, { not: new Set(['t-a', 't-b']) })).toHaveProperty('missing');
  });

  it('is none that was cordoned after the look, and one whose cordon was lifted since', async () => {
    const { choice } = bed(see(onBus('a'), onBus('b', { cordoned: true })), {
      marks: { ...noMarks, cordoned: async () => new Set(['t-a']) },
    });
    expect(await choice.choose('r1', 4)).toMatchObject({ id: 'b' });
  });

  it('has what others were sent counted in, from the choice until it shows', async () => {
    const shown = see(onBus('a', { egresses: [egress('EG_r1', 2)] }));
    const { choice, clock } = bed([see(onBus('a')), shown]);
    expect(await choice.choose('r1', 2)).toMatchObject({ id: 'a' });
    expect(await choice.choose('r2', 2)).toHaveProperty('missing');
    expect(await choice.choose('r3', 1)).toMatchObject({ id: 'a' });
    choice.release('r3');
    choice.started('r1', 'EG_r1');
    clock.nowMs += 600;
    expect(await choice.choose('r4', 1)).toMatchObject({ id: 'a' });
  });

  it('is not kept from others for ever by one that never came', async () => {
    const { choice, clock } = bed(see(onBus('a')));
    await choice.choose('r1', 4);
    clock.nowMs += 16_000;
    expect(await choice.choose('r2', 4)).toMatchObject({ id: 'a' });
  });

  it('is chosen again by the one that holds it', async () => {
    const { choice } = bed(see(onBus('a')));
    await choice.choose('r1', 4);
    expect(await choice.choose('r1', 4)).toMatchObject({ id: 'a' });
  });

  it('comes from one look for all of a burst', async () => {
    const { choice, observe } = bed(see(onBus('a'), onBus('b')));
    const chosen = await Promise.all(['r1', 'r2', 'r3'].map((id) => choice.choose(id, 4)));
    expect(observe).toHaveBeenCalledTimes(1);
    expect(chosen).toMatchObject([{ id: 'a' }, { id: 'b' }, { missing: expect.any(String) }]);
  });
});

describe('a worker that does not claim', () => {
  it('is passed over, longer each time, until one starts there', async () => {
    const { marks, at } = keptMarks();
    const { choice, clock } = bed(see(onBus('a')), { marks });
    const isChosen = async () => 'topic' in (await choice.choose('r1', 4));
    const wait = (ms: number) => {
      clock.nowMs += ms;
      at(clock.nowMs);
    };
    choice.noteUnanswered('t-a');
    expect(await isChosen()).toBe(false);
    wait(2_000);
    expect(await isChosen()).toBe(true);
    choice.noteUnanswered('t-a');
    wait(2_000);
    expect(await isChosen()).toBe(false);
    wait(2_000);
    expect(await isChosen()).toBe(true);
    choice.started('r1', 'EG_r1');
    choice.noteUnanswered('t-a');
    wait(2_000);
    expect(await isChosen()).toBe(true);
  });

  it('is passed over by every other process, too', async () => {
    const { marks } = keptMarks();
    const [one, other] = [bed(see(onBus('a'), onBus('b')), { marks }), bed(see(onBus('a'), onBus('b')), { marks })];
    one.choice.noteUnanswered('t-a');
    expect(await other.choice.choose('r1', 4)).toMatchObject({ id: 'b' });
  });

  it('leaves the others to be chosen, and is told of when there is none', async () => {
    const { choice } = bed(see(onBus('a'), onBus('b')), keptMarks());
    choice.noteUnanswered('t-a');
    expect(await choice.choose('r1', 4)).toMatchObject({ id: 'b' });
    expect(await choice.choose('r2', 4)).toEqual({
      missing: 'one worker is ready, none has 4 cores free; 1 passed over, because the last start there went wrong',
    });
  });

  it('is chosen all the same while no mark can be set', async () => {
    const marks = { ...noMarks, doubt: () => Promise.reject(new Error('READONLY')) };
    const { choice } = bed(see(onBus('a')), { marks });
    choice.noteUnanswered('t-a');
    expect(await choice.choose('r1', 4)).toMatchObject({ id: 'a' });
  });
});

describe('a cordon', () => {
  it('is given more time than a dispatch that began just before it can take', () => {
    expect(CORDON_SETTLE_MS).toBeGreaterThan(DISPATCH_LIMIT_MS + 1_000);
  });
});

describe('what is missing', () => {
  it('names room, what keeps those on their way, and why none can be launched', async () => {
    const booting = { state: 'booting', reason: 'no node yet' } as const;
    const { choice } = bed(see(onBus('a', booting), onBus('b', booting)), { launchProblem: () => 'quota' });
    expect(await choice.choose('r1', 4)).toEqual({ missing: 'no worker is ready; 2 on the way: no node yet; quota' });
  });

  it('is the Redis of the workers while it does not answer', async () => {
    const { choice } = bed({ workers: [worker('a', { present: undefined as never })] });
    expect(await choice.choose('r1', 4)).toEqual({ missing: "the workers' Redis does not answer" });
  });
});

describe('an egress', () => {
  const nobody = async () => new Set<string>();
  const silent = (parts: Partial<ObservedWorker> = {}) =>
    onBus('a', { state: 'unreachable', answered: false, ...parts });
  const alive = { egressId: 'EG_1', onBus: true };
  it.each<[says: string, answer: PartInspection['onWorker'], Sight]>([
    ['the bus has it', 'yes', { workers: [onBus('a')], activeEgresses: [alive] }],
    ['a port shows it', 'yes', { workers: [onBus('a', { egresses: [egress('EG_1')] })], activeEgresses: [] }],
    ['bus and port agree that it is not there', 'no', see(onBus('a'))],
    ['nothing listens at the port', 'no', see(silent({ portClosed: true }))],
    ['nor does its worker listen on the bus', 'dead', see(silent({ portClosed: true, present: false }))],
    ['the platform says the worker ended', 'dead', see(silent({ state: 'gone', present: false }))],
    ['the platform has forgotten the worker', 'dead', see()],
    ['the port is only silent', 'unknown', see(silent())],
    ['the bus cannot be asked', 'unknown', { workers: [onBus('a')] }],
  ])('%s', async (_, answer, sight) => {
    expect(await bed(sight).choice.whereIs('EG_1', nobody, { id: 'a', topic: 't-a' })).toBe(answer);
  });

  it.each<[says: string, active: () => Promise<Set<string>>, answer: PartInspection['onWorker']]>([
    ['it answers on the bus', async () => new Set(['EG_1']), 'yes'],
    ['it answers nowhere, as one that is frozen', async () => new Set(['EG_2']), 'unknown'],
    ['the bus is away by then', () => Promise.reject(new Error('away')), 'unknown'],
  ])('that listens on a worker whose port is silent lives only where %s', async (_, active, answer) => {
    const sight = { workers: [silent()], activeEgresses: [alive] };
    expect(await bed(sight).choice.whereIs('EG_1', active, { id: 'a', topic: 't-a' })).toBe(answer);
    const forgotten = { workers: [], activeEgresses: [alive] };
    expect(await bed(forgotten).choice.whereIs('EG_1', active, { id: 'a', topic: 't-a' })).toBe(answer);
  });

  it('is looked for on its own worker alone, where that is known', async () => {
    const sight = see(onBus('a'), onBus('b', { state: 'unreachable', answered: false }));
    expect(await bed(sight).choice.whereIs('EG_1', nobody, { id: 'a', topic: 't-a' })).toBe('no');
    expect(await bed(sight).choice.whereIs('EG_1', nobody)).toBe('unknown');
  });

  it('is looked for anew, not in a look that was shared before', async () => {
    const { choice, clock } = bed([see(onBus('a')), see(onBus('a', { egresses: [egress('EG_1')] }))]);
    await choice.choose('r1', 4);
    clock.nowMs += 1;
    expect(await choice.whereIs('EG_1', nobody)).toBe('yes');
  });
});
