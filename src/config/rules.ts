// Rules: defaults for requests that do not say.
import { z } from 'zod';
import { recordingRequestSchema } from '../recording/request.ts';
import type { SourceKind } from '../recording/rules.ts';
import { fleetName } from './fleet.ts';

const SOURCE_KINDS = ['room', 'web', 'participant', 'tracks'] as const satisfies SourceKind[];
const sourceKind = z.enum(SOURCE_KINDS);

const { startWithin, maxDuration, priority, labels } = recordingRequestSchema.shape;

/** Defaults for requests that do not say (recording/rules.ts). For each field the first rule that matches and gives it decides. */
export const rule = z.strictObject({
  match: z
    .strictObject({
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
    })
    .optional(),
  startWithin: startWithin.unwrap().optional(),
  maxDuration: maxDuration.unwrap().optional(),
  priority: priority.unwrap().optional(),
  labels: labels.unwrap().optional(),
  tenant: z.string().min(1).max(63).optional(),
  fleet: fleetName.optional(),
});
