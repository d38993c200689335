// What a request leaves open: the rules say, else the defaults.
import { defined } from '../common/defined.ts';
import { type AskedRecording, DEFAULTS, labelsSchema, type RecordingRequest } from './request.ts';
import type { RuleDefaults } from './rules.ts';
import { roomOf } from './source.ts';

export function withDefaults(asked: AskedRecording, rule: RuleDefaults): RecordingRequest {
  const tenant = asked.tenant ?? rule.tenant;
  const keep = asked.keep ?? rule.keep;
  const output = asked.output ?? rule.output;
  const stopWhen = asked.stopWhen ?? (roomOf(asked.source) === undefined ? undefined : rule.stopWhen);
  return {
    ...asked,
    startWithin: asked.startWithin ?? rule.startWithin ?? DEFAULTS.startWithinMs,
    maxDuration: asked.maxDuration ?? rule.maxDuration ?? DEFAULTS.maxDurationMs,
    sourceGrace: asked.sourceGrace ?? rule.sourceGrace ?? DEFAULTS.sourceGraceMs,
    priority: asked.priority ?? rule.priority ?? DEFAULTS.priority,
    labels: { ...rule.labels, ...asked.labels },
    ...defined({ tenant, keep, output, stopWhen }),
  };
}

/** Labels that are too many or too long together, though none is by itself. */
export function labelsProblem(labels: Record<string, string>): string | undefined {
  return labelsSchema.safeParse(labels).error?.issues[0]?.message;
}
