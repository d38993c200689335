// What a pass stops, and what it leaves alone: an egress is stopped only when a recording of this installation has ended.
import { describe, expect, it } from 'vitest';
import { apply } from '../../../src/activities/fleet-apply.ts';
import type { FleetDeps } from '../../../src/activities/fleet-deps.ts';
import { plan, rec } from '../../support/fleet.ts';

type State = Awaited<ReturnType<FleetDeps['recordings']['statusOf']>>;

describe('an egress whose recording is not listed as open', () => {
  it.each<[State, code: 'not_open' | 'superseded', isStopped: boolean]>([
    ['ended', 'not_open', true],
    ['open', 'not_open', false],
    // Of another installation, or of a namespace that was left: no workflow of ours has its id.
    ['unknown', 'not_open', false],
    ['open', 'superseded', true],
  ])('whose recording is %s (%s) is stopped: %s', async (state, code, isStopped) => {
    const stopped: string[] = [];
    const warned: string[] = [];
    const deps = {
      recordings: { statusOf: async () => state },
      presence: {},
      provider: {},
      policy: { watchIntervalMs: 1_000 },
      stopEgress: async (id: string) => void stopped.push(id),
      log: { info: () => undefined, warn: (_: object, message: string) => void warned.push(message) },
      now: () => 0,
    } as unknown as FleetDeps;
    const orphan = { egressId: rec('other'), recordingId: rec('other'), code, why: 'its recording is not open' };
    await apply(deps, { ...plan({}), orphans: [orphan] }, 'token');
    expect(stopped).toEqual(isStopped ? [rec('other')] : []);
    expect(warned).toEqual(state === 'unknown' ? ['an egress of no recording of ours; it is left alone'] : []);
  });
});
