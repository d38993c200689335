// Which pods were taken away while they recorded: the moment is the kubelet's signal or the pod's deletion, whichever came first;
// what ran at that moment tell the worker's own health answers and LiveKit's times of each egress.

import type { EgressInfo } from 'livekit-server-sdk';
import { parseAttemptEgressId } from '../../src/recording/attempt.ts';
import type { Bed } from '../bed.ts';
import { allEgresses, beganAtMs, toMs } from '../crowd.ts';
import type { PodFacts } from './pods.ts';

export interface Removed {
  pods: number;
  /** One line each: which, when, and what it recorded. */
  busy: string[];
}

interface Life {
  beganMs: number;
  endedMs: number;
}

export async function removedOf(bed: Bed, pods: PodFacts[]): Promise<Removed> {
  const lives = new Map((await allEgresses(bed)).map((egress) => [egress.egressId, lifeOf(egress)]));
  const left = pods.flatMap((facts) => {
    const atMs = endOf(bed, facts);
    return atMs === undefined ? [] : [{ facts, atMs }];
  });
  const busy = left.flatMap(({ facts, atMs }) => {
    const running = recordingsOf(facts).filter((id) => isDuring(lives.get(id), atMs));
    return running.length === 0 ? [] : [describe(facts, atMs, running, lives)];
  });
  return { pods: left.length, busy };
}

/** When it was told to end, or ended. */
function endOf(bed: Bed, { name, leavingMs, goneMs }: PodFacts): number | undefined {
  const signals = bed.cluster.kubelet.signals().filter(({ pod }) => pod === name);
  const times = [...signals.map(({ atMs }) => atMs), leavingMs, goneMs].filter((ms) => ms !== undefined);
  return times.length === 0 ? undefined : Math.min(...times);
}

/** One whose worker is killed never ends, as far as LiveKit knows. */
function lifeOf(info: EgressInfo): Life {
  const { endedAt } = info;
  return { beganMs: beganAtMs(info), endedMs: endedAt ? toMs(endedAt) : Number.POSITIVE_INFINITY };
}

function isDuring({ beganMs, endedMs }: Life = { beganMs: 0, endedMs: Number.POSITIVE_INFINITY }, atMs: number) {
  return beganMs <= atMs && atMs < endedMs;
}

function describe(facts: PodFacts, atMs: number, running: string[], lives: Map<string, Life>): string {
  const since = (ms = Number.NaN) => `${((ms - atMs) / 1_000).toFixed(1)} s`;
  const egresses = running.map((id) => `${id} ${since(lives.get(id)?.beganMs)} to ${since(lives.get(id)?.endedMs)}`);
  return `${facts.name} at ${new Date(atMs).toISOString()} (ready ${since(facts.readyMs)}, gone ${since(facts.goneMs)}): ${egresses.join(', ')}`;
}

/** A worker knows each attempt by its own id, LiveKit only the recording. */
export function recordingsOf({ ran }: PodFacts): string[] {
  return [...new Set([...ran].map((id) => parseAttemptEgressId(id)?.recordingId ?? id))];
}
