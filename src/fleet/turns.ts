// Who may start now, in turn, and what those who wait can count on. Pure.

import type { QueuePlace } from '../recording/start-outcome.ts';
import { type Bin, fits, type OpenBins, place } from './admission.ts';
import type { WaitingRecording } from './observation.ts';
import { type Claims, freeAtMs, mayPass, PASSED_MS, toKeep } from './passing.ts';

export interface Admitted extends WaitingRecording {
  /** The only worker it may start on, because others before it wait for more than is free there. */
  on?: string;
}

/** What is told to one who waits. */
export interface PlacedRecording extends QueuePlace {
  id: string;
}

export interface Turns {
  /** In the order of their turns. */
  admit: Admitted[];
  /** Waiting, in the order of their turns. */
  behind: WaitingRecording[];
  places: PlacedRecording[];
}

/** A worker is kept for so many of those who wait: whoever stands further back comes nearer, or grows old. */
const MOST_KEPT_FOR = 200;

interface TurnParts {
  nowMs: number;
  bins: readonly Bin[];
  /** Those of them that take anything more. */
  open: OpenBins;
  mayAdmit: number;
  /** Gives it a place on a worker that is, comes, or is to be launched. */
  put: (costCores: number) => Bin | undefined;
  /** When that worker should be ready: undefined when nobody knows, `never` when it is not even sure that it comes. */
  readyAt: (bin: Bin) => number | undefined | 'never';
}

/** @param waiting in turn; each fits some worker there is or can be */
export function takeTurns(
  waiting: readonly WaitingRecording[],
  { nowMs, bins, open, mayAdmit, put, readyAt }: TurnParts,
): Turns {
  const turns: Turns = { admit: [], behind: [], places: [] };
  const claims: Claims = { aged: new Set(), kept: new Map() };
  /** Nobody who costs as much finds room any more: it only becomes less. */
  const hopeless = new Set<number>();

  function passOnto({ costCores }: WaitingRecording): Bin | undefined {
    if (hopeless.has(costCores)) return undefined;
    const able = open.bins.filter(
      (bin) => bin.kind === 'ready' && fits(bin, costCores) && mayPass(bin, costCores, claims),
    );
    const bin = place(able, costCores);
    if (!bin) hopeless.add(costCores);
    return bin;
  }

  function queue(recording: WaitingRecording): void {
    const { id, costCores, sinceMs } = recording;
    turns.behind.push(recording);
    const bin = put(costCores);
    if (nowMs - sinceMs >= PASSED_MS) claims.aged.add(costCores);
    const ready = bin ? readyAt(bin) : 'never';
    const atMs = ready === 'never' ? keep(costCores) : ready;
    turns.places.push({ id, position: turns.behind.length, ...(atMs === undefined ? {} : { expectedAtMs: atMs }) });
  }

  /** @returns when it is free, if that is known */
  function keep(costCores: number): number | undefined {
    if (turns.behind.length > MOST_KEPT_FOR) return undefined;
    const bin = toKeep(bins, costCores, claims);
    if (!bin) return undefined;
    const isSecond = claims.kept.has(bin.id);
    claims.kept.set(bin.id, new Set([...(claims.kept.get(bin.id) ?? []), costCores]));
    const freeMs = freeAtMs(bin, costCores);
    return !isSecond && freeMs > nowMs && Number.isFinite(freeMs) ? freeMs : undefined;
  }

  for (const recording of waiting) {
    const mayStart = turns.admit.length < mayAdmit;
    const isNext = turns.behind.length === 0;
    const on = !mayStart ? undefined : isNext ? open.place(recording.costCores, ['ready']) : passOnto(recording);
    if (!on) queue(recording);
    else turns.admit.push(isNext ? recording : { ...recording, on: on.id });
  }
  return turns;
}
