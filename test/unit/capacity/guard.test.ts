// What holds for every provider: shared looks, launches in batches, and no end of a worker that may record.
import { describe, expect, it, vi } from 'vitest';
import { guardProvider } from '../../../src/capacity/guard.ts';
import {
  CapacityError,
  type CapacityProvider,
  type LaunchResult,
  type PlatformLimits,
  type Worker,
} from '../../../src/capacity/provider.ts';

const worker = (id: string, parts: Partial<Worker> = {}): Worker => ({
  id,
  state: 'running',
  launchedAtMs: 0,
  cpuCores: 4,
  owned: true,
  ...parts,
});

function createBed(limits: Partial<PlatformLimits> = {}, workers: Worker[] = [worker('w-1')]) {
  let nowMs = 1_000;
  let tell = (_why: string) => {};
  const provider = {
    kind: 'test',
    limits: { coresPerWorker: 4, ...limits },
    list: vi.fn(async () => ({ workers, asOfMs: nowMs })),
    launch: vi.fn(
      async (count: number, token: string): Promise<LaunchResult> => ({
        launched: Array.from({ length: count }, (_, index) => `${token}-${index}`),
        problems: [],
      }),
    ),
    drain: vi.fn(async () => {}),
    remove: vi.fn(async () => {}),
    onChange: (listener: (why: string) => void) => {
      tell = listener;
    },
    check: async () => [],
  } satisfies CapacityProvider;
  const says = vi.fn(async (): Promise<'busy' | 'idle' | 'unknown'> => 'idle');
  const capacity = guardProvider(provider, says, () => nowMs);
  return { provider, capacity, says, tell: (why: string) => tell(why), pass: (ms: number) => (nowMs += ms) };
}

describe('a list', () => {
  it('is one call of the platform for all looks within its interval, and says how old it is', async () => {
    const { provider, capacity, pass } = createBed({ listEveryMs: 5_000 });
    const lists = await Promise.all(Array.from({ length: 100 }, () => capacity.list()));
    expect(new Set(lists.map(({ asOfMs }) => asOfMs))).toEqual(new Set([1_000]));
    pass(4_000);
    expect((await capacity.list()).asOfMs).toBe(1_000);
    expect(provider.list).toHaveBeenCalledTimes(1);
    pass(1_001);
    expect((await capacity.list()).asOfMs).toBe(6_001);
    expect(provider.list).toHaveBeenCalledTimes(2);
  });

  it('is made anew for who must not see an old one', async () => {
    const { provider, capacity, pass } = createBed({ listEveryMs: 5_000 });
    await capacity.list();
    pass(10);
    expect((await capacity.list(1_010)).asOfMs).toBe(1_010);
    expect(provider.list).toHaveBeenCalledTimes(2);
  });

  it.each([
    ['a launch', async ({ capacity }: ReturnType<typeof createBed>) => void (await capacity.launch(1, 't'))],
    ['a drain', ({ capacity }: ReturnType<typeof createBed>) => capacity.drain('w-1')],
    ['news of the platform', async ({ tell }: ReturnType<typeof createBed>) => tell('w-1 has ended')],
  ])('from before %s is shared no more', async (_, change) => {
    const bed = createBed({ listEveryMs: 5_000 });
    bed.capacity.onChange?.(() => {});
    await bed.capacity.list();
    await change(bed);
    const calls = bed.provider.list.mock.calls.length;
    await bed.capacity.list();
    expect(bed.provider.list).toHaveBeenCalledTimes(calls + 1);
  });

  it('that failed is not shared', async () => {
    const { provider, capacity } = createBed({ listEveryMs: 5_000 });
    provider.list.mockRejectedValueOnce(new CapacityError('retryable', 'throttled'));
    await expect(capacity.list()).rejects.toThrow('throttled');
    expect((await capacity.list()).workers).toHaveLength(1);
  });
});

describe('a launch', () => {
  it('goes in batches of what the platform makes at once, each with a token that a repeat has, too', async () => {
    const { provider, capacity } = createBed({ maxPerLaunch: 10 });
    const { launched, problems } = await capacity.launch(23, 't');
    expect(problems).toEqual([]);
    expect(new Set(launched).size).toBe(23);
    const calls = [...provider.launch.mock.calls];
    expect(calls).toEqual([
      [10, 't'],
      [10, 't-b2'],
      [3, 't-b3'],
    ]);
    await capacity.launch(23, 't');
    expect(provider.launch.mock.calls.slice(3)).toEqual(calls);
  });

  it('ends at the first batch that is not made whole, and counts what is missing by its reason', async () => {
    const { provider, capacity } = createBed({ maxPerLaunch: 10 });
    const none = { kind: 'no_capacity', code: 'InsufficientInstanceCapacity', message: 'none in a', count: 2 } as const;
    const slow = { kind: 'retryable', code: 'Throttling', message: 'rate exceeded', count: 1 } as const;
    provider.launch
      .mockResolvedValueOnce({ launched: ['a'], problems: [] })
      .mockResolvedValueOnce({ launched: ['b'], problems: [none, slow] });
    const result = await capacity.launch(25, 't');
    expect(result).toEqual({ launched: ['a', 'b'], problems: [{ ...none, count: 7 }, slow] });
    expect(provider.launch).toHaveBeenCalledTimes(2);
  });

  it('that is refused is a result with its code, and a mistake of the provider is not', async () => {
    const { provider, capacity } = createBed();
    const refused = new CapacityError('no_capacity', 'over quota', { code: 'VcpuLimitExceeded', retryAfterMs: 9 });
    provider.launch.mockRejectedValueOnce(refused).mockRejectedValueOnce(new TypeError('oops'));
    const problem = {
      kind: 'no_capacity',
      code: 'VcpuLimitExceeded',
      message: 'over quota',
      count: 3,
      retryAfterMs: 9,
    };
    expect(await capacity.launch(3, 't')).toEqual({ launched: [], problems: [problem] });
    await expect(capacity.launch(3, 'u')).rejects.toThrow('oops');
  });
});

describe('an end', () => {
  it.each([
    ['busy', false],
    ['idle', true],
    // The fleet only asks for it when nothing can be left of it.
    ['unknown', true],
  ] as const)('of a worker that is %s, by remove: %s', async (word, happens) => {
    const { provider, capacity, says } = createBed();
    says.mockResolvedValue(word);
    const error = await capacity.remove('w-1').catch((thrown: unknown) => thrown);
    expect(provider.remove).toHaveBeenCalledTimes(happens ? 1 : 0);
    if (!happens) expect(error).toMatchObject({ kind: 'retryable', code: 'busy' });
  });

  it.each([
    [undefined, 'busy', true],
    [120_000, 'busy', false],
    [120_000, 'unknown', false],
    [120_000, 'idle', true],
  ] as const)('by drain with a limit of %s ms, of a worker that is %s: %s', async (drainLimitMs, word, happens) => {
    const { provider, capacity, says } = createBed(drainLimitMs === undefined ? {} : { drainLimitMs });
    says.mockResolvedValue(word);
    const error = await capacity.drain('w-1').catch((thrown: unknown) => thrown);
    expect(provider.drain).toHaveBeenCalledTimes(happens ? 1 : 0);
    if (!happens) expect(error).toMatchObject({ code: 'busy' });
  });

  it('finds a worker by the id it was launched under, and asks none that is gone', async () => {
    const { provider, capacity, says } = createBed({}, [
      worker('i-1', { launchedAs: 'launch-1' }),
      worker('i-2', { state: 'gone' }),
    ]);
    says.mockResolvedValue('busy');
    await expect(capacity.remove('launch-1')).rejects.toMatchObject({ code: 'busy' });
    await capacity.remove('i-2');
    await capacity.remove('nobody');
    expect(provider.remove).toHaveBeenCalledTimes(2);
    expect(says).toHaveBeenCalledTimes(1);
  });
});
