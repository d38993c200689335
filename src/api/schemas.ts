// The bodies of the API as zod schemas: they validate what comes in, and describe what goes out in /openapi.json.
import { z } from 'zod';
import { WITNESSES } from '../livekit/ghosts.ts';
import { RECORDING_ID } from '../recording/attempt.ts';
import { parseDuration } from '../recording/duration.ts';
import { askedRecordingSchema, recordingRequestSchema } from '../recording/request.ts';
import { END_REASONS, STAGES, WAITING_FOR } from '../recording/stage.ts';
import { PART_WARNINGS, type RecordingView } from '../recording/view.ts';
import { DELIVERY_STATES } from '../recording/webhooks/deliveries.ts';
import { WEBHOOK_EVENTS } from '../recording/webhooks/names.ts';
import { DELIVERY_PROBLEMS } from '../recording/webhooks/retry.ts';

const unixMs = (description: string) => z.int().meta({ description: `${description}, unix milliseconds` });
const DAY_MS = 24 * 3_600_000;

export const recordingBody = askedRecordingSchema.meta({
  id: 'RecordingRequest',
  description: 'What to record, where to put it, and for how long',
});

export const recordingParams = z.object({
  id: z.string().regex(RECORDING_ID).meta({ description: 'The id that POST /v1/recordings answered' }),
});

const fileView = z
  .object({
    location: z.string().meta({ description: 'Path or URL as LiveKit reports it' }),
    filename: z.string(),
    storage: z.string().meta({
      description:
        "Where it is: name of the storage in Reelkit's configuration; `inline`: the request brought it; `livekit`: as the request to LiveKit said, else the worker's own; `backup`: the worker's backup storage, because it could not write where it should; `unknown`: there or where it should be, the location tells",
    }),
    sizeBytes: z.number(),
    durationMs: z.number(),
    rebuilt: z.literal(true).optional().meta({
      description: 'Made again from what its worker had stored before it died: the last seconds are missing',
    }),
    removed: z.literal(true).optional().meta({ description: 'It is in the joined file, and not here any more' }),
  })
  .meta({ id: 'RecordedFile' });

const partView = z
  .object({
    number: z.int().meta({ description: 'Counts from 1' }),
    attempts: z.int().meta({ description: 'Starts that a worker was granted for this part' }),
    egressId: z.string().optional().meta({ description: 'The id of its attempt towards the workers' }),
    worker: z.object({ id: z.string(), topic: z.string() }).optional(),
    workerEndsAtMs: unixMs('Its platform has announced that it ends that worker then').optional(),
    acceptedAtMs: unixMs('A worker accepted it').optional(),
    awaitsMediaSinceMs: unixMs(
      'Nobody publishes what it records; it begins once somebody does. Since a look found that first',
    ).optional(),
    startedAtMs: unixMs('Its file begins here: media flows').optional(),
    endingAtMs: unixMs('The worker began to finish it: no media after that').optional(),
    endedAtMs: unixMs('The egress ended').optional(),
    files: z.array(fileView),
    segments: z.string().optional().meta({
      description: 'Its segments are all there is, because no file could be made of them: the folder that they stay in',
    }),
    manifestLocation: z
      .string()
      .optional()
      .meta({ description: 'Where the worker put its own manifest; absent when it wrote none' }),
    warnings: z
      .array(z.object({ code: z.enum(PART_WARNINGS), message: z.string() }))
      .optional()
      .meta({ description: 'What to look at, although it may have ended well' }),
    end: z
      .object({
        status: z.string(),
        details: z.string().optional(),
        error: z.string().optional(),
        errorCode: z.number().optional(),
      })
      .optional()
      .meta({
        description:
          "How the egress ended, in LiveKit's words; `LOST`: its worker died or cannot be reached, `HUNG`: it was accepted and never recorded",
      }),
  })
  .meta({ id: 'Part', description: 'One egress run of a recording; another follows when a worker is lost' });

export const recordingView = z
  .object({
    id: z.string(),
    stage: z.enum(STAGES),
    fleet: z.string(),
    request: recordingRequestSchema.meta({
      id: 'AcceptedRequest',
      description: 'The request with defaults applied; durations in milliseconds',
    }),
    requestedAtMs: unixMs('The request was accepted'),
    waiting: z
      .object({
        for: z.enum(WAITING_FOR),
        sinceMs: unixMs('Waits since'),
        detail: z.string(),
        position: z.int().optional().meta({ description: 'Place in the queue, from 1; absent while nobody knows' }),
        expectedAtMs: unixMs(
          'By then there should be a worker, by the boots seen and the ends known; absent while nobody knows',
        ).optional(),
        needs: z.enum(['operator']).optional().meta({
          description: 'It does not pass by itself: LiveKit does not accept the configured key, or is not at its URL',
        }),
      })
      .optional()
      .meta({ description: 'While waiting: for what, since when, and the last thing that was tried' }),
    startDeadlineMs: unixMs('Capacity must be found before this'),
    startedAtMs: unixMs('The file of the first part begins here; maxDuration counts from it').optional(),
    endDeadlineMs: unixMs('The recording is stopped at this time; extend moves it').optional(),
    endedAtMs: unixMs('The recording ended').optional(),
    reason: z.object({ code: z.enum(END_REASONS), message: z.string() }).optional(),
    parts: z.array(partView),
    joined: fileView
      .extend({
        seams: z.array(z.object({ atMs: z.number(), gapMs: z.number(), overlapMs: z.number() })).meta({
          description:
            'Where two parts meet, ms from its beginning; what was not recorded between them, and what both recorded',
        }),
      })
      .meta({ id: 'JoinedFile', description: 'One file of all parts, where there are several' })
      .optional(),
    joinProblem: z.string().optional().meta({ description: 'Why there is no joined file although it was wanted' }),
    pauses: z
      .array(
        z.object({
          sinceMs: unixMs('It was asked for; `parts[].endingAtMs` says when the worker stopped'),
          untilMs: unixMs('It was asked to go on, or ended; absent while the pause lasts').optional(),
          by: z.string().optional().meta({ description: 'Identity of the token that asked' }),
        }),
      )
      .optional()
      .meta({ description: 'Nothing of this time is in any file' }),
    spent: z
      .object({ queueMs: z.number(), startMs: z.number() })
      .optional()
      .meta({ description: 'What the time from the request to ACTIVE was spent on' }),
  })
  .meta({ id: 'Recording' }) satisfies z.ZodType<RecordingView>;

const recordingSummary = z
  .object({
    id: z.string(),
    stage: z.enum(STAGES),
    fleet: z.string(),
    source: z.enum(['room', 'web', 'participant', 'tracks', 'track', 'media']),
    room: z.string().optional(),
    waitingFor: z.enum(WAITING_FOR).optional(),
    priority: z.int(),
    tenant: z.string().optional(),
    labels: z.record(z.string(), z.string()),
    costCores: z.number().meta({ description: "CPU cores that LiveKit's admission charges" }),
    requestedAtMs: unixMs('The request was accepted'),
    startAtMs: unixMs('Due time of a scheduled recording').optional(),
    endedAtMs: unixMs('It ended, and LiveKit and the receivers of webhooks know; absent until then').optional(),
  })
  .meta({ id: 'RecordingSummary' });
export type RecordingSummary = z.output<typeof recordingSummary>;

export const recordingPage = z
  .object({
    recordings: z.array(recordingSummary),
    nextPageToken: z.string().optional().meta({ description: 'Absent on the last page' }),
  })
  .meta({ id: 'RecordingPage' });
export type RecordingPage = z.output<typeof recordingPage>;

const LABEL_PAIR = /^[^=]+=.*$/s;
const labelFilter = z.string().max(400).regex(LABEL_PAIR, { error: 'must be of the form key=value' });

export const listQuery = z.strictObject({
  stage: z.enum(STAGES).optional(),
  room: z.string().min(1).max(256).optional(),
  fleet: z.string().min(1).max(63).optional(),
  tenant: z.string().min(1).max(63).optional(),
  label: z
    .preprocess((value) => (typeof value === 'string' ? [value] : value), z.array(labelFilter).max(20))
    .optional()
    .meta({ description: 'key=value; may be repeated, then all must match' }),
  limit: z.coerce.number().int().min(1).max(200).default(50),
  pageToken: z.string().max(4_096).optional().meta({ description: '`nextPageToken` of the page before' }),
});
export type ListQuery = z.output<typeof listQuery>;

const extendBy = z
  .string()
  .max(32)
  .refine((text) => (parseDuration(text) ?? 0) > 0 && (parseDuration(text) ?? 0) <= DAY_MS, {
    error: 'must be a duration up to 24h, such as "30m"',
  })
  .meta({ description: 'This much longer than it would have lasted', examples: ['30m'] });

/** Both fields are looked at together, so that the error names what is missing instead of a failed union. */
export const extendBody = z
  .strictObject({
    by: extendBy.optional(),
    until: z.iso.datetime({ offset: true }).optional().meta({ description: 'Record until this time, ISO 8601' }),
  })
  .refine((body) => (body.by === undefined) !== (body.until === undefined), {
    error: 'needs exactly one of "by" (a duration) and "until" (a time)',
  })
  .meta({ id: 'Extension' });

const workerView = z
  .object({
    id: z.string(),
    state: z.enum(['booting', 'ready', 'draining', 'unreachable', 'gone']),
    busy: z.boolean().meta({ description: 'At least one egress runs on it' }),
    egressIds: z.array(z.string()),
    cpuCores: z.number(),
    owned: z.boolean().meta({ description: 'False for workers that Reelkit uses but never ends' }),
    launchedAtMs: unixMs('Launched'),
    endsAtMs: unixMs('Its platform has announced that it ends it then, whatever it runs').optional(),
    reason: z.string().optional(),
  })
  .meta({ id: 'Worker' });

export const fleetParams = z.object({ name: z.string().max(63).meta({ description: 'Of the configuration' }) });

export const workerParams = fleetParams.extend({
  worker: z.string().min(1).max(253).meta({ description: 'Its id, as the fleet shows it' }),
});

export const fleetView = z
  .object({
    name: z.string(),
    provider: z.string(),
    minWorkers: z.int(),
    maxWorkers: z.int(),
    workers: z.array(workerView),
    /** CPU cores. */
    demandCores: z.number().meta({ description: 'Cost of the waiting recordings and of what runs' }),
    capacityCores: z.number().meta({ description: 'Cores of ready and booting workers' }),
    recordings: z.record(z.string(), z.int()).meta({ description: 'Open recordings by stage' }),
    decisions: z
      .array(z.object({ pass: z.int(), atMs: unixMs('Time of the pass'), line: z.string() }))
      .meta({ description: 'The last passes that decided something, newest first' }),
    bootsMs: z
      .array(z.number())
      .meta({ description: 'How long the last workers took from their launch until they were ready, newest first' }),
    problems: z.array(z.string()).meta({ description: 'What could not be asked, in words' }),
  })
  .meta({ id: 'Fleet' });
export type FleetView = z.output<typeof fleetView>;

export const drained = z.object({ fleet: z.string(), worker: z.string() }).meta({ id: 'DrainedWorker' });

export const forgiven = z.object({ fleet: z.string(), worker: z.string() }).meta({ id: 'ForgivenWorker' });

export const fleetsView = z
  .object({ fleets: z.array(fleetView).meta({ description: 'As configured; the first serves what names none' }) })
  .meta({ id: 'Fleets' });
export type FleetsView = z.output<typeof fleetsView>;

const olderThan = z
  .string()
  .max(32)
  .refine((text) => (parseDuration(text) ?? 0) >= 1_000, { error: 'must be a duration from 1s, such as "2m"' })
  .default('2m')
  .meta({ description: 'Records that changed since then are left alone: a worker may only be on its way' });

export const repairQuery = z.strictObject({ olderThan });
export const repairBody = z
  .strictObject({ egressIds: z.array(z.string().min(1).max(64)).min(1).max(1_000), olderThan })
  .meta({ id: 'RepairRequest' });

const lookedRecord = z
  .object({
    egressId: z.string(),
    status: z.string().meta({ description: 'In LiveKit, for example EGRESS_ACTIVE' }),
    room: z.string().optional(),
    changedAtMs: unixMs('The record changed last'),
    witnesses: z.array(
      z.object({
        name: z.enum(WITNESSES),
        shows: z.boolean().meta({ description: 'It shows that somebody runs the egress, or will' }),
        says: z.string(),
      }),
    ),
    verdict: z
      .enum(['nobody', 'somebody', 'recent'])
      .meta({ description: 'nobody: it can be ended. somebody, recent: it is left alone' }),
    end: z
      .object({ status: z.string(), error: z.string() })
      .optional()
      .meta({ description: 'How it would be ended, or was: as its recording ended where that is known' }),
  })
  .meta({ id: 'LookedRecord', description: "A record in LiveKit's list, and who might run it" });
export type LookedRecord = z.output<typeof lookedRecord>;

export const repairView = z.object({ records: z.array(lookedRecord) }).meta({ id: 'RepairView' });
export const repairResult = z
  .object({
    ended: z.array(lookedRecord),
    left: z.array(lookedRecord).meta({
      description:
        'Left as it is; the verdict says why. `nobody`: LiveKit did not take the end, or it looked different a moment before',
    }),
    absent: z.array(z.string()).meta({ description: 'LiveKit has no such record that has not ended' }),
  })
  .meta({ id: 'RepairResult' });

const deliveryView = z
  .object({
    receiver: z.string().meta({ description: 'Of the configuration; `(request)`: the one that the request names' }),
    state: z.enum(DELIVERY_STATES),
    tries: z.int().meta({ description: 'Since it was announced, or replayed' }),
    triedAtMs: unixMs('The last try').optional(),
    status: z.int().optional().meta({ description: 'HTTP, of the last try' }),
    problem: z.object({ code: z.enum(DELIVERY_PROBLEMS), message: z.string() }).optional(),
  })
  .meta({ id: 'Delivery' });

export const webhookDeliveriesView = z
  .object({
    events: z.array(
      z.object({
        sequence: z.int().meta({ description: 'Its place in the recording; replay names it by this' }),
        id: z.string(),
        event: z.enum(WEBHOOK_EVENTS),
        atMs: unixMs('It happened'),
        deliveries: z.array(deliveryView),
      }),
    ),
  })
  .meta({ id: 'WebhookDeliveries' });
export type WebhookDeliveriesView = z.output<typeof webhookDeliveriesView>;

export const replayBody = z
  .strictObject({
    sequence: z.int().min(1).optional().meta({ description: 'Only this event' }),
    failed: z.boolean().optional().meta({ description: 'Only what failed' }),
  })
  .refine(({ sequence, failed }) => sequence === undefined || !failed, {
    error: 'has both "sequence" and "failed"; keep one of them, or none for all events',
  })
  .meta({ id: 'Replay' });

export const failedDeliveriesQuery = z.strictObject({ limit: z.coerce.number().int().min(1).max(200).default(50) });
export const failedDeliveriesView = z
  .object({ recordings: z.array(z.object({ recordingId: z.string(), endedAtMs: unixMs('It was given up') })) })
  .meta({ id: 'FailedDeliveries' });
export type FailedDeliveriesView = z.output<typeof failedDeliveriesView>;

export const healthView = z.object({ status: z.literal('ok') }).meta({ id: 'Health' });

export const readinessView = z
  .object({
    status: z.enum(['ready', 'not_ready']),
    checks: z.record(z.string(), z.object({ ok: z.boolean(), detail: z.string() })),
  })
  .meta({ id: 'Readiness' });
export type Readiness = z.output<typeof readinessView>;

export const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    code: z.string().meta({ description: 'Stable; decide by this' }),
    detail: z.string(),
    errors: z
      .array(z.object({ field: z.string(), value: z.unknown().optional(), message: z.string(), remedy: z.string() }))
      .optional(),
    recordingId: z.string().optional(),
  })
  .meta({ id: 'Problem', description: 'RFC 9457 problem details' });
