// The request for a recording: what HTTP clients send and what it means once defaults are applied. Pure: zod only.
// Workflows import the types of this file, never its values, so that zod stays out of the workflow bundle.
import { z } from 'zod';
import { formatDuration, parseDuration } from './duration.ts';
import { labelBytes } from './keywords.ts';
import { outputSchema, outputsProblems, sideSchema } from './request-outputs.ts';
import { WEBHOOK_EVENTS } from './webhooks/names.ts';

export const LIMITS = {
  /** LiveKit's own limit on room names and identities is 256 characters (livekit.yaml `limit.max_room_name_length`). */
  nameLength: 256,
  urlLength: 2_048,
  outputs: 8,
  labels: 20,
  tenantLength: 63,
  labelKeyLength: 63,
  labelValueLength: 255,
  /** As one search attribute value, and room for a tenant: Temporal's default is 2 kB (`limit.searchAttributesSizeOfValue`). */
  labelsBytes: 1_900,
  /** A recording is one workflow run; longer than this nobody watches it. */
  maxDurationMs: 24 * 3_600_000,
  startWithinMs: 24 * 3_600_000,
  sourceGraceMs: 3_600_000,
  participantsAtMost: 1_000,
  /** How far ahead a start may lie: its workflow is open until then. */
  startAheadMs: 366 * 24 * 3_600_000,
} as const;

export const DEFAULTS = {
  startWithinMs: 15 * 60_000,
  maxDurationMs: 6 * 3_600_000,
  /** As long as LiveKit keeps a room that everybody has left (livekit.yaml `room.departure_timeout`). */
  sourceGraceMs: 20_000,
  priority: 3,
} as const;

/** PostgreSQL stores no other. */
const isText = (value: string) => !/[\p{Cc}\p{Cs}]/u.test(value);

const name = (what: string) =>
  z
    .string()
    .min(1)
    .max(LIMITS.nameLength)
    .refine(isText, { error: `${what} must not contain control characters or halves of characters` });

const httpUrl = z
  .string()
  .max(LIMITS.urlLength)
  .refine((value) => URL.canParse(value) && /^https?:$/.test(new URL(value).protocol), {
    error: 'must be an absolute http or https URL',
  });

/** Where webhooks go. Who logs in by an address has its password wherever the address is written. */
export const webhookUrl = httpUrl.refine((value) => !URL.canParse(value) || !hasLogin(new URL(value)), {
  error:
    'must not hold a user or a password: check the signature of each webhook instead, or put a token into the query',
});

function hasLogin({ username, password }: URL): boolean {
  return username !== '' || password !== '';
}

export const webhookEvents = z.array(z.enum(WEBHOOK_EVENTS)).min(1).max(WEBHOOK_EVENTS.length);

const webhookSchema = z
  .strictObject({
    url: webhookUrl.meta({ description: 'http or https. Answers show its host only' }),
    events: webhookEvents.optional().meta({ description: 'Only these; all of them when left out' }),
  })
  .meta({ description: 'Is told of every change of stage, signed with the API key of the token' });

const duration = (minMs: number, maxMs: number) =>
  z
    .string()
    .max(32)
    .refine((text) => parseDuration(text) !== undefined, {
      error: 'must be a duration such as "90s", "15m" or "1h30m"',
    })
    .meta({ description: `A duration from ${formatDuration(minMs)} to ${formatDuration(maxMs)}`, examples: ['15m'] })
    .transform((text) => parseDuration(text) ?? 0)
    .pipe(z.number().refine((ms) => ms >= minMs && ms <= maxMs, { error: outOfRange(minMs, maxMs) }));

const outOfRange = (minMs: number, maxMs: number) =>
  `must be between ${formatDuration(minMs)} and ${formatDuration(maxMs)}`;

const mediaKinds = {
  audioOnly: z.boolean().default(false),
  videoOnly: z.boolean().default(false),
};

const roomSource = z.strictObject({
  type: z.literal('room'),
  room: name('room'),
  layout: z.string().min(1).max(64).optional(),
  customBaseUrl: httpUrl.optional(),
  ...mediaKinds,
});
const webSource = z.strictObject({
  type: z.literal('web'),
  url: httpUrl,
  awaitStartSignal: z.boolean().default(false),
  ...mediaKinds,
});
const participantSource = z.strictObject({
  type: z.literal('participant'),
  room: name('room'),
  identity: name('identity'),
  screenShare: z.boolean().default(false),
});
const tracksSource = z
  .strictObject({
    type: z.literal('tracks'),
    room: name('room'),
    audioTrackId: z.string().min(1).max(64).optional(),
    videoTrackId: z.string().min(1).max(64).optional(),
  })
  .refine((source) => source.audioTrackId || source.videoTrackId, {
    error: 'needs audioTrackId, videoTrackId or both',
  });

const trackSource = z.strictObject({
  type: z.literal('track'),
  room: name('room'),
  trackId: z.string().min(1).max(64),
});
/** LiveKit's media source, as far as it is shown: what is asked for stands in LiveKit's own request. */
const mediaSource = z.strictObject({
  type: z.literal('media'),
  room: name('room'),
  identity: name('identity').optional(),
  videoTrackId: z.string().min(1).max(64).optional(),
});

export const sourceSchema = z.discriminatedUnion('type', [
  roomSource,
  webSource,
  participantSource,
  tracksSource,
  trackSource,
  mediaSource,
]);

/** LiveKit's EncodingOptionsPreset names. */
export const ENCODING_PRESETS = [
  'H264_720P_30',
  'H264_720P_60',
  'H264_1080P_30',
  'H264_1080P_60',
  'PORTRAIT_H264_720P_30',
  'PORTRAIT_H264_720P_60',
  'PORTRAIT_H264_1080P_30',
  'PORTRAIT_H264_1080P_60',
] as const;

export const encodingSchema = z
  .strictObject({
    preset: z.enum(ENCODING_PRESETS).optional(),
    width: sideSchema.optional(),
    height: sideSchema.optional(),
    framerate: z.int().min(1).max(60).optional(),
    videoBitrateKbps: z.int().min(50).max(50_000).optional(),
    audioBitrateKbps: z.int().min(16).max(512).optional(),
    keyFrameIntervalSeconds: z.number().min(0.1).max(60).optional(),
  })
  .refine((encoding) => encoding.preset === undefined || Object.keys(encoding).length === 1, {
    error: 'has a preset and options of its own; keep one of the two',
  });

export const labelsSchema = z
  .record(
    z
      .string()
      .max(LIMITS.labelKeyLength)
      .regex(/^[A-Za-z0-9][A-Za-z0-9._/-]*$/, { error: 'label keys use letters, digits and . _ / -' }),
    z
      .string()
      .max(LIMITS.labelValueLength)
      .refine(isText, { error: 'label values must not contain control characters or halves of characters' }),
  )
  .refine((labels) => Object.keys(labels).length <= LIMITS.labels, { error: `at most ${LIMITS.labels} labels` })
  .refine((labels) => labelBytes({ labels }) <= LIMITS.labelsBytes, {
    error: `all labels together must stay below ${LIMITS.labelsBytes} bytes as they are stored, with quotes and backslashes as three`,
  });

export const fleetNameSchema = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, { error: 'must be lower-case letters, digits and dashes' });

export const tenantSchema = z
  .string()
  .max(LIMITS.tenantLength)
  .regex(/^[A-Za-z0-9][A-Za-z0-9._/-]*$/, { error: 'uses letters, digits and . _ / -' });

export const stopWhenSchema = z
  .strictObject({
    participantsAtMost: z.int().min(0).max(LIMITS.participantsAtMost).default(0),
    for: duration(10_000, LIMITS.maxDurationMs),
  })
  .meta({
    description:
      'Stops when no more than `participantsAtMost` people have been in the room `for` so long. Agents, recorders, ingress and hidden participants do not count; a web page has no room',
  });

/** How much of a part outlives its worker. Absent is the first. */
export const KEEPS = ['crash-safe', 'file-only'] as const;

/** What becomes of parts that are several. Absent is the first. */
export const OUTPUTS_OF_PARTS = ['both', 'joined', 'parts'] as const;

/** What rules may say where a request does not. */
export const ruledFields = {
  startWithin: duration(1_000, LIMITS.startWithinMs),
  maxDuration: duration(1_000, LIMITS.maxDurationMs),
  sourceGrace: duration(0, LIMITS.sourceGraceMs),
  stopWhen: stopWhenSchema,
  /** 1 is served first, 5 last, as Temporal's priority keys. */
  priority: z.int().min(1).max(5),
  labels: labelsSchema,
  keep: z.enum(KEEPS).meta({
    description:
      'What outlives a worker that dies: `crash-safe` writes segments beside the file, from which it is made again; `file-only` writes none',
  }),
  output: z.enum(OUTPUTS_OF_PARTS).meta({
    description:
      'What becomes of several parts: `both`, one file that plays through beside them; `joined`, that file only; `parts`, none',
  }),
  tenant: tenantSchema.meta({ description: 'For whom it is; kept with the recording, shown and searchable' }),
  fleet: fleetNameSchema.meta({ description: 'The fleet whose workers record it' }),
};

const unlessRuled = (what: string) => ({ description: `${what} unless a rule says otherwise` });

const fields = {
  source: sourceSchema,
  outputs: z
    .array(outputSchema)
    .min(1)
    .max(LIMITS.outputs)
    .default([{ type: 'file' }]),
  encoding: encodingSchema.optional(),
  startAt: z.iso.datetime({ offset: true }).optional(),
  keep: ruledFields.keep.optional(),
  output: ruledFields.output.optional(),
  tenant: ruledFields.tenant.optional(),
  fleet: ruledFields.fleet.optional(),
  stopWhen: ruledFields.stopWhen.optional(),
  webhook: webhookSchema.optional(),
};

/** As it is asked for: what is left out is for the rules, then for the defaults. */
export const askedRecordingSchema = z
  .strictObject({
    ...fields,
    startWithin: ruledFields.startWithin.optional().meta(unlessRuled(formatDuration(DEFAULTS.startWithinMs))),
    maxDuration: ruledFields.maxDuration.optional().meta(unlessRuled(formatDuration(DEFAULTS.maxDurationMs))),
    sourceGrace: ruledFields.sourceGrace.optional().meta(unlessRuled(formatDuration(DEFAULTS.sourceGraceMs))),
    priority: ruledFields.priority.optional().meta(unlessRuled(`${DEFAULTS.priority} of 1 (first) to 5 (last)`)),
    labels: labelsSchema.optional(),
  })
  .superRefine(checkTogether);

/** As it was accepted. */
export const recordingRequestSchema = z
  .strictObject({
    ...fields,
    startWithin: ruledFields.startWithin.default(DEFAULTS.startWithinMs),
    maxDuration: ruledFields.maxDuration.default(DEFAULTS.maxDurationMs),
    sourceGrace: ruledFields.sourceGrace.default(DEFAULTS.sourceGraceMs),
    priority: ruledFields.priority.default(DEFAULTS.priority),
    labels: labelsSchema.default({}),
  })
  .superRefine(checkTogether);

function checkTogether(
  request: { source: RecordingSource; outputs: z.output<typeof outputSchema>[]; stopWhen?: StopWhen | undefined },
  context: z.RefinementCtx,
): void {
  const { source } = request;
  for (const problem of outputsProblems(source, request.outputs)) context.addIssue({ code: 'custom', ...problem });
  if (source.type === 'web' && request.stopWhen)
    context.addIssue({
      code: 'custom',
      path: ['stopWhen'],
      message: 'a web page has no room with participants; leave it out',
    });
  if (source.type === 'media')
    context.addIssue({ code: 'custom', path: ['source', 'type'], message: "is LiveKit's own: ask LiveKit for it" });
  if ('audioOnly' in source && source.audioOnly && source.videoOnly) {
    context.addIssue({
      code: 'custom',
      path: ['source', 'videoOnly'],
      message: 'audioOnly and videoOnly exclude each other',
    });
  }
}

export type RecordingSource = z.output<typeof sourceSchema>;
export type { RecordingOutput } from './request-outputs.ts';
export type Encoding = z.output<typeof encodingSchema>;
/** What a client may send. */
export type RecordingRequestInput = z.input<typeof recordingRequestSchema>;
export type AskedRecording = z.output<typeof askedRecordingSchema>;
export type StopWhen = z.output<typeof stopWhenSchema>;
/** The request with defaults applied; durations in milliseconds. */
export type RecordingRequest = z.output<typeof recordingRequestSchema>;
