// One state from two witnesses, and what the worker's own ports say.
import { describe, expect, it } from 'vitest';
import { DEFAULT_COSTS } from '../../../src/fleet/cost.ts';
import type { WorkerNotes } from '../../../src/fleet/observation.ts';
import { type Witnesses, workerStateOf } from '../../../src/fleet/worker-state.ts';
import { isOutOfService, readHealth } from '../../../src/livekit/probe.ts';
import { MINUTE, NOW } from '../../support/fleet.ts';

const seen = (parts: Partial<Witnesses>): Witnesses => ({
  platform: 'running',
  owned: true,
  launchedAtMs: NOW - MINUTE,
  answered: true,
  outOfService: false,
  ...parts,
});

describe('the state of a worker', () => {
  it.each<[string, Partial<Witnesses>, WorkerNotes | undefined, string]>([
    ['answers and takes requests', {}, undefined, 'ready'],
    ['answers and listens on the bus', { present: true }, undefined, 'ready'],
    ['answers and does not listen on the bus yet', { present: false }, {}, 'booting'],
    ['answers and has lost its bus', { present: false }, { wasReady: true }, 'unreachable'],
    [
      'answers, has lost its bus and nobody remembers it',
      { present: false, launchedAtMs: NOW - 11 * MINUTE },
      undefined,
      'unreachable',
    ],
    ['answers, is disabled and has left the bus', { present: false, outOfService: true }, {}, 'draining'],
    ['answers and says it is disabled', { outOfService: true }, {}, 'draining'],
    ['was asked to drain', {}, { drainAskedMs: NOW }, 'draining'],
    ['the platform drains it', { platform: 'draining', answered: false }, {}, 'draining'],
    ['runs and has never answered', { answered: false }, {}, 'booting'],
    ['is on its way', { platform: 'booting', answered: false }, undefined, 'booting'],
    ['was ready and is silent', { answered: false }, { wasReady: true }, 'unreachable'],
    [
      'is old, silent and nobody remembers it',
      { answered: false, launchedAtMs: NOW - 11 * MINUTE },
      undefined,
      'unreachable',
    ],
    ['was silent already when nobody remembered it', { answered: false }, { silentSinceMs: NOW }, 'unreachable'],
    ['is silent and belongs to somebody else', { answered: false, owned: false }, undefined, 'unreachable'],
    ['was ready and its platform restarts it', { platform: 'booting', answered: false }, { wasReady: true }, 'booting'],
    ['ended', { platform: 'gone', answered: false }, { drainAskedMs: NOW }, 'gone'],
  ])('%s', (_, witnesses, notes, state) => {
    expect(workerStateOf(seen(witnesses), notes, NOW, 10 * MINUTE)).toBe(state);
  });
});

describe('the health JSON', () => {
  it('gives egress ids with the cost their kind declares, and what admission has left', () => {
    const health = JSON.stringify({
      CpuLoad: 1.6,
      EG_a: { Participant: { room_name: 'x', file_outputs: [{ Output: { S3: { secret: 'do not leak' } } }] } },
      EG_b: { RoomComposite: { audio_only: true } },
      EG_c: { SomethingNew: {} },
    });
    expect(readHealth(health, DEFAULT_COSTS)).toEqual({
      freeCores: 1.6,
      egresses: [
        { egressId: 'EG_a', costCores: 2 },
        { egressId: 'EG_b', costCores: 1 },
        { egressId: 'EG_c', costCores: 4 },
      ],
    });
  });
});

describe('the metrics', () => {
  it.each([
    ['livekit_egress_is_disabled{cluster_id="",node_id="NE_1"} 1', true],
    ['livekit_egress_is_terminating{node_id="NE_1"} 1', true],
    ['livekit_egress_is_disabled{node_id="NE_1"} 0\nlivekit_egress_is_terminating{node_id="NE_1"} 0', false],
    ['livekit_egress_available{node_id="NE_1"} 1', false],
  ])('%s', (metrics, outOfService) => {
    expect(isOutOfService(metrics)).toBe(outOfService);
  });
});
