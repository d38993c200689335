// Which fleets are told that a worker came to the bus or left it.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Presence, PresenceWatch } from '../../../src/livekit/presence.ts';
import type { FleetSources } from '../../../src/service/fleet-sources.ts';
import { watchWorkers } from '../../../src/service/watch-workers.ts';

const LOOK_MS = 300;
let watch: PresenceWatch | undefined;
beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  watch?.stop();
  vi.useRealTimers();
});

/** @param lists topics by fleet, as their platforms list them */
async function createBed(lists: Record<string, string[]>) {
  const listening = new Set(Object.values(lists).flat());
  const kicks: string[] = [];
  const fleets = Object.entries(lists).map(([name, topics]) => ({
    settings: { name },
    provider: { list: async () => ({ workers: topics.map((topic) => ({ id: topic, topic })), asOfMs: 0 }) },
  })) as unknown as FleetSources[];
  const presence = {
    workers: async () => new Set(listening),
    egresses: async () => new Set<string>(),
    cordoned: async () => new Set<string>(),
    epoch: () => 0,
  } as unknown as Presence;
  const kickFleet = async (fleet: string, why: string) => void kicks.push(`${fleet}: ${why}`);
  watch = watchWorkers({ fleets, presence, departures: { left: () => {} }, kickFleet, log: { warn: () => {} } });
  const toldAfter = async (change: () => void) => {
    change();
    await vi.advanceTimersByTimeAsync(LOOK_MS);
    return kicks.splice(0).sort();
  };
  await toldAfter(() => {});
  return { listening, toldAfter };
}

describe('a worker that comes or goes', () => {
  it('is told to its own fleet alone, also when its platform lists it no more', async () => {
    const lists = { main: ['a'], gpu: [] as string[] };
    const { listening, toldAfter } = await createBed(lists);
    lists.gpu.push('b');
    expect(await toldAfter(() => listening.add('b'))).toEqual(['gpu: b joined the bus']);
    lists.gpu.pop();
    expect(await toldAfter(() => listening.delete('b'))).toEqual(['gpu: b left the bus']);
  });

  it('is told to each of the fleets whose workers came together', async () => {
    const lists = { main: ['a'], gpu: ['b'] };
    const { listening, toldAfter } = await createBed(lists);
    lists.main.push('c');
    lists.gpu.push('d', 'e');
    const told = await toldAfter(() => ['c', 'd', 'e'].map((topic) => listening.add(topic)));
    expect(told).toEqual(['gpu: d, e joined the bus', 'main: c joined the bus']);
  });

  it('is told to all when nobody lists it', async () => {
    const { listening, toldAfter } = await createBed({ main: ['a'], gpu: ['b'] });
    expect(await toldAfter(() => listening.add('x'))).toEqual(['gpu: x joined the bus', 'main: x joined the bus']);
  });
});
