// Where an output is put: a storage of the configuration, by name, or one that the request brings itself. Pure: zod only.
import { z } from 'zod';

const LIMITS = { nameLength: 63, textLength: 2_048, credentialsLength: 16_384, prefixLength: 512 } as const;

const text = z.string().min(1).max(LIMITS.textLength);
const optional = z.string().max(LIMITS.textLength).default('');
const prefix = z.string().max(LIMITS.prefixLength).default('').meta({ description: 'Put before the path' });

const webUrl = z
  .string()
  .max(LIMITS.textLength)
  .refine((value) => value === '' || (URL.canParse(value) && /^https?:$/.test(new URL(value).protocol)), {
    error: 'must be an http or https URL, for example https://s3.example.com',
  })
  .default('');

/** Keys that are left out are those of the worker's platform: its role, its identity. */
export const inlineStorageSchema = z.discriminatedUnion('type', [
  z
    .strictObject({
      type: z.literal('s3'),
      bucket: text,
      region: optional,
      endpoint: webUrl,
      accessKey: optional,
      secret: optional,
      sessionToken: optional,
      assumeRoleArn: optional,
      assumeRoleExternalId: optional,
      forcePathStyle: z.boolean().default(false),
      prefix,
    })
    .superRefine(({ accessKey, secret }, context) => {
      if ((accessKey === '') === (secret === '')) return;
      const missing = accessKey === '' ? 'accessKey' : 'secret';
      // A worker takes half a pair for none, and writes with its platform's identity.
      context.addIssue({ code: 'custom', path: [missing], message: 'is missing: accessKey and secret go together' });
    }),
  z.strictObject({
    type: z.literal('gcs'),
    bucket: text,
    /** Service account JSON. */
    credentials: z.string().max(LIMITS.credentialsLength).default(''),
    prefix,
  }),
  z.strictObject({
    type: z.literal('azure'),
    accountName: text,
    accountKey: text,
    containerName: text,
    prefix,
  }),
  z.strictObject({
    type: z.literal('alioss'),
    bucket: text,
    accessKey: text,
    secret: text,
    region: optional,
    endpoint: text,
    prefix,
  }),
]);
export type InlineStorage = z.output<typeof inlineStorageSchema>;

/** The configured default when absent. */
export const storageSchema = z
  .union([inlineStorageSchema, z.string().min(1).max(LIMITS.nameLength)])
  .optional()
  .meta({ description: 'Name of a configured storage, or a storage of its own where `api.inlineStorage` allows it' });

export function isInline(storage: InlineStorage | string | undefined): storage is InlineStorage {
  return typeof storage === 'object';
}

/** What is never shown of a storage, in Reelkit's words and in LiveKit's, with what a worker writes in its place. */
export const STORAGE_SECRETS = {
  accessKey: '{access_key}',
  secret: '{secret}',
  sessionToken: '{session_token}',
  assumeRoleExternalId: '{external_id}',
  credentials: '{credentials}',
  accountName: '{account_name}',
  accountKey: '{account_key}',
} as const;

export function withoutKeys(storage: InlineStorage): InlineStorage {
  const hidden: Record<string, string> = STORAGE_SECRETS;
  const shown = Object.entries(storage).map(([name, value]) => [name, value && (hidden[name] ?? value)]);
  return Object.fromEntries(shown) as InlineStorage;
}
