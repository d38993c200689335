// Open recordings by stage, counted in Temporal's visibility; remembered for a moment, because metrics and pages ask often.
import type { Client } from '@temporalio/client';
import { OPEN_STAGES } from '../../recording/stage.ts';
import { openInStage } from '../../temporal/recording-index.ts';
import { cached } from '../cached.ts';

const FRESH_MS = 5_000;
const CALL_MS = 3_000;

export type CountByStage = () => Promise<Record<string, number>>;

export function createStageCounter(client: Client, fleet: string): CountByStage {
  const count = async (stage: (typeof OPEN_STAGES)[number]): Promise<[string, number]> => {
    const { count } = await client.workflow.count(openInStage(fleet, stage));
    return [stage, count];
  };
  return cached(FRESH_MS, () =>
    client.withDeadline(Date.now() + CALL_MS, async () =>
      Object.fromEntries(await Promise.all(OPEN_STAGES.map(count))),
    ),
  );
}
