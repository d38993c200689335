// Rules: defaults for requests that do not say.
import { z } from 'zod';
import { labelsProblem } from '../recording/defaults.ts';
import { ruledFields } from '../recording/request.ts';
import type { SourceKind } from '../recording/rules.ts';

const SOURCE_KINDS = ['room', 'web', 'participant', 'tracks', 'track', 'media'] as const satisfies SourceKind[];
const sourceKind = z.enum(SOURCE_KINDS);

const { startWithin, maxDuration, sourceGrace, stopWhen, priority, labels, keep, output, tenant, fleet } = ruledFields;

export const ruleMatch = z.strictObject({
  /** `*` stands for any characters, `?` for one. */
  room: z.string().min(1).max(256).optional(),
  source: z
    .union([sourceKind, z.array(sourceKind).min(1)], {
      error: `must be of ${SOURCE_KINDS.join(', ')}, one or a list`,
    })
    .optional(),
  /** Of the token that asked; what comes from LiveKit has none. */
  apiKey: z.string().min(1).max(256).optional(),
  labels: z.record(z.string(), z.string().max(255)).optional(),
});

/** Defaults for requests that do not say (recording/rules.ts). For each field the first rule that matches and gives it decides. */
export const rule = z.strictObject({
  match: ruleMatch.optional(),
  startWithin: startWithin.optional(),
  maxDuration: maxDuration.optional(),
  sourceGrace: sourceGrace.optional(),
  keep: keep.optional(),
  output: output.optional(),
  stopWhen: stopWhen.optional(),
  priority: priority.optional(),
  labels: labels.optional(),
  tenant: tenant.optional(),
  fleet: fleet.optional(),
});

/** Of the whole list: what a recording that every rule matches would get. */
export function ruleLabelsProblem(rules: readonly z.output<typeof rule>[]): string | undefined {
  return labelsProblem(Object.assign({}, ...rules.map((one) => one.labels ?? {})));
}
