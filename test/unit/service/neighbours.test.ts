// Two installations of Reelkit on one Redis know of each other, and leave when their processes do.
import { afterEach, describe, expect, it, vi } from 'vitest';
import { announce, otherInstallations, tellOf } from '../../../src/livekit/installations.ts';
import { type Neighbours, watchNeighbours } from '../../../src/service/neighbours.ts';
import { createMemoryBroker } from '../../support/memory-bus.ts';

const PRODUCTION = { id: '11111111-aaaa', namespace: 'production' };
const STAGING = { id: '22222222-bbbb', namespace: 'staging' };

const running: Neighbours[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((one) => one.stop()));
});

function watch(livekit = createMemoryBroker(), workers = createMemoryBroker(), own = PRODUCTION) {
  const log = { error: vi.fn(), info: vi.fn() };
  const parts = { livekit: livekit.connect(), workers: workers.connect(), own, log, everyMs: 10 };
  const started = watchNeighbours(parts).then((one) => {
    running.push(one);
    return one;
  });
  return { log, livekit, workers, started };
}

describe('installations on a Redis', () => {
  it('are known by the id of their namespace, whatever their processes are', async () => {
    const bus = createMemoryBroker();
    await announce(bus.connect(), PRODUCTION);
    await announce(bus.connect(), PRODUCTION);
    expect(await otherInstallations(bus.connect(), PRODUCTION)).toEqual([]);
    const leave = await announce(bus.connect(), STAGING);
    expect(await otherInstallations(bus.connect(), PRODUCTION)).toEqual([STAGING]);
    expect(await otherInstallations(bus.connect(), undefined)).toHaveLength(2);
    await leave();
    expect(await otherInstallations(bus.connect(), PRODUCTION)).toEqual([]);
    expect(await otherInstallations(bus.connect(), undefined)).toEqual([]);
  });

  it('are told by name, with what to do', () => {
    expect(tellOf([STAGING], "LiveKit's Redis")).toMatch(
      /namespace "staging".*a LiveKit and a workers' Redis of its own/,
    );
  });

  it('cannot be forged into anything but a name', async () => {
    const bus = createMemoryBroker();
    const { subscribe } = bus.connect();
    await subscribe('reelkit:installation:', () => undefined);
    await subscribe(`reelkit:installation:x:${'y'.repeat(10_000)}`, () => undefined);
    const [only, ...more] = await otherInstallations(bus.connect(), PRODUCTION);
    expect(only?.namespace).toHaveLength(255);
    expect(more).toEqual([]);
  });
});

describe('a process', () => {
  it('says once that another installation is there, and that it has left', async () => {
    const { log, livekit, started } = watch();
    await started;
    const leave = await announce(livekit.connect(), STAGING);
    await expect.poll(() => log.error.mock.calls.length).toBe(1);
    expect(log.error.mock.calls[0]).toEqual([
      { redis: "LiveKit's Redis", others: [STAGING] },
      expect.stringContaining('another installation of Reelkit'),
    ]);
    await leave();
    await expect.poll(() => log.info.mock.calls.length).toBe(1);
    expect(log.error).toHaveBeenCalledTimes(1);
  });

  it("sees one that shares the workers' Redis alone", async () => {
    const workers = createMemoryBroker();
    const one = watch(createMemoryBroker(), workers);
    const other = watch(createMemoryBroker(), workers, STAGING);
    await Promise.all([one.started, other.started]);
    await expect.poll(() => one.log.error.mock.calls[0]?.[0]).toMatchObject({ redis: "the workers' Redis" });
    await expect.poll(() => other.log.error.mock.calls[0]?.[0]).toMatchObject({ others: [PRODUCTION] });
  });

  it('keeps quiet while Redis is away', async () => {
    const { log, livekit, started } = watch();
    await started;
    livekit.setAway(true);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(log.error).not.toHaveBeenCalled();
  });
});
