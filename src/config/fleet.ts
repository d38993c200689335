// A fleet: how large it may get, how fast it changes, and where its workers come from.
import { z } from 'zod';
import { capacitySettings } from '../capacity/registry.ts';
import { DEFAULT_COSTS } from '../fleet/cost.ts';
import { fleetNameSchema } from '../recording/request.ts';
import { duration } from './values.ts';

export const fleet = z.strictObject({
  /** Of its workflow, `fleet/<name>`; rules and requests name it. */
  name: fleetNameSchema.default('default'),
  minWorkers: z.number().int().min(0).default(0),
  maxWorkers: z.number().int().min(1).default(10),
  /** Free CPU cores kept ready beyond demand. */
  headroomCores: z.number().min(0).default(0),
  /** A worker must be idle this long before it is retired. */
  cooldown: duration('5m'),
  /** A worker that is not ready by then is replaced. Scheduled recordings count as demand this long before they are due. */
  bootTimeout: duration('10m', { min: '1s' }),
  /** Between passes while something waits or boots. */
  busyInterval: duration('2s', { min: '100ms', max: '1h' }),
  /** Between passes while recordings run: the safety net for lost webhooks and dead workers. */
  watchInterval: duration('30s', { min: '1s', max: '1h' }),
  /** Egresses are called lost or orphaned when two looks this far apart agree. */
  confirmAfter: duration('10s', { min: '1s', max: '1h' }),
  /** CPU cores that admission charges; must equal the workers' own `cpu_cost`. */
  costs: z
    .strictObject(
      Object.fromEntries(
        Object.entries(DEFAULT_COSTS).map(([key, cores]) => [key, z.number().positive().default(cores)]),
      ) as unknown as { [K in keyof typeof DEFAULT_COSTS]: z.ZodDefault<z.ZodNumber> },
    )
    .prefault({}),
  /** Where its workers come from: `provider`, and what that one needs to know (src/capacity/<provider>/config.ts). */
  capacity: capacitySettings,
});

export type FleetConfig = z.output<typeof fleet>;
export type FleetConfigInput = z.input<typeof fleet>;
