// Workers that their platform lists under another id than the one by which they were launched: what is remembered of the one is
// remembered of the other, so that no boot counts as failed. Pure.
import type { FleetMemory, ObservedWorker } from './observation.ts';

export function withPresentNames(workers: readonly ObservedWorker[], memory: FleetMemory): FleetMemory {
  const present = new Map(
    workers.flatMap(({ id, launchedAs }) => (launchedAs === undefined ? [] : [[launchedAs, id]])),
  );
  const renamed = Object.keys(memory.workers).filter((id) => present.has(id));
  if (renamed.length === 0) return memory;
  const notes = { ...memory.workers };
  for (const former of renamed) {
    const id = present.get(former) ?? former;
    // It is listed, so that nobody needs to expect it.
    const { expectedSinceMs: _, ...old } = notes[former] ?? {};
    delete notes[former];
    notes[id] = { ...old, ...notes[id] };
  }
  const egresses = Object.entries(memory.egresses ?? {}).map(([id, worker]) => [id, present.get(worker) ?? worker]);
  return { ...memory, workers: notes, ...(memory.egresses ? { egresses: Object.fromEntries(egresses) } : {}) };
}
