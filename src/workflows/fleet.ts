// The workflow of one fleet: a pass, then a wait, for ever. Level-triggered: a pass that is lost or repeated does no harm, so
// nothing here decides anything; the activity observes, plans and applies.
//   asleep    nothing is open and no worker is kept: no timer, only a kick ends it
//   waiting   until the time the last pass named, or a kick
//   passing   one activity; kicks that arrive meanwhile cause exactly one more pass
import {
  type ActivityOptions,
  allHandlersFinished,
  condition,
  continueAsNew,
  proxyActivities,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { FleetActivities, PassReport } from '../activities/contract.ts';
import { EMPTY_MEMORY, type FleetMemory } from '../fleet/observation.ts';
import { cutToBytes } from '../recording/bytes.ts';
import { formatDuration } from '../recording/duration.ts';
import { bootsQuery, explainQuery, type FleetInput, kickSignal, type PassLine } from './messages.ts';

/** A request after a longer rest may be the first of a burst, so the pass lets it arrive; between quick passes the next one sees it. */
const SETTLE_AFTER_MS = 5_000;
const KEPT_LINES = 50;
const SHOWN_LINES = 15;
/** A hard bound beside the server's own suggestion, should that never come. */
const MAX_PASSES = 1_000;

/** Temporal takes 20 kB of details. */
const DETAILS_BYTES = 15_000;

const PASS_OPTIONS: ActivityOptions = {
  startToCloseTimeout: '2m',
  // A pass whose process was killed is repeated within seconds: recordings may be waiting for it.
  heartbeatTimeout: '8s',
  // A pass may be repeated, so it is tried until it works; the workflow never fails.
  retry: { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '30s' },
};
const { runFleetPass } = proxyActivities<FleetActivities>(PASS_OPTIONS);

export async function fleet(input: FleetInput): Promise<never> {
  let memory = input.memory ?? EMPTY_MEMORY;
  let pass = input.lastPass ?? 0;
  let explanations = input.explanations ?? [];
  // Every run begins with a look, so that no kick can fall between two runs.
  let kick: string | undefined = 'a new run';
  let settle = true;
  let restMs = Number.POSITIVE_INFINITY;
  setHandler(kickSignal, (reason) => {
    kick ??= reason?.why ?? 'kicked';
    settle ||= reason?.settle ?? true;
  });
  setHandler(explainQuery, () => explanations);
  setHandler(bootsQuery, () => memory.bootsMs ?? []);

  for (let passes = 1; ; passes += 1) {
    const why: string | undefined = kick;
    const demand = settle && restMs >= SETTLE_AFTER_MS;
    kick = undefined;
    settle = false;
    pass += 1;
    const report = await runPass(input.fleet, pass, memory, why, demand);
    memory = report.memory;
    restMs = report.nextPassInMs ?? Number.POSITIVE_INFINITY;
    explanations = explain(explanations, report, pass);
    setCurrentDetails(render(report, explanations));
    if (workflowInfo().continueAsNewSuggested || passes >= (input.maxPasses ?? MAX_PASSES)) break;
    await untilNextPass(() => kick !== undefined, report.nextPassInMs);
  }
  await condition(allHandlersFinished);
  return continueAsNew<typeof fleet>({ ...input, memory, lastPass: pass, explanations });
}

function runPass(
  name: string,
  pass: number,
  memory: FleetMemory,
  kick: string | undefined,
  demand: boolean,
): Promise<PassReport> {
  const summary = `pass ${pass}: ${kick ?? 'look again'}`;
  return runFleetPass.executeWithOptions({ ...PASS_OPTIONS, summary }, [
    { fleet: name, pass, memory, kicked: kick !== undefined && demand },
  ]);
}

/** Asleep there is no timer at all: an idle fleet writes no history. */
async function untilNextPass(kicked: () => boolean, inMs: number | undefined): Promise<void> {
  if (inMs === undefined) await condition(kicked);
  else if (inMs > 0) await condition(kicked, inMs, { summary: `next pass in ${formatDuration(inMs)}, or a kick` });
}

function explain(explanations: PassLine[], { line }: PassReport, pass: number): PassLine[] {
  return line === undefined ? explanations : [{ pass, atMs: Date.now(), line }, ...explanations].slice(0, KEPT_LINES);
}

function render({ summary, nextPassInMs }: PassReport, explanations: PassLine[]): string {
  const next =
    nextPassInMs === undefined
      ? 'Asleep until something is asked for.'
      : `Looks again in ${formatDuration(nextPassInMs)}.`;
  const lines = explanations.slice(0, SHOWN_LINES).map(({ atMs, line }) => `- ${new Date(atMs).toISOString()} ${line}`);
  const details = `${summary}\n\n${next}\n\nDecisions, newest first:\n\n${lines.join('\n') || '- none yet'}`;
  return cutToBytes(details, DETAILS_BYTES, '\n\n(cut)');
}
