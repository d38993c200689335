// Named storages: where recordings go that Reelkit's own API asked for. A worker takes the storage of a request whole: keys of its own
// configuration never complete it (livekit/egress pkg/config/storage.go).
import { z } from 'zod';
import { STORAGE_WORDS } from '../recording/stored.ts';
import { secret, webUrl } from './values.ts';

const WORDS = Object.values(STORAGE_WORDS);
const NAME = new RegExp(`^(?!(${WORDS.join('|')})$)[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`);

/** What the view calls other places is no name. */
export const storageName = z.string().regex(NAME, {
  error: `names are 1 to 63 letters, digits, dots, dashes and underscores, and none of ${WORDS.join(', ')}`,
});

const keys = z.string().default('');
const prefix = z.string().default('');
const workerIdentity = z.boolean().default(false);
/** Beside workerIdentity: Reelkit's own processes have a role that lists, reads, writes and deletes there, too. */
const ownIdentity = z.boolean().optional();

export const storage = z.discriminatedUnion('type', [
  z.strictObject({
    /** Whatever the worker's own configuration has under `storage`; its disk when there is nothing. */
    type: z.literal('worker'),
    prefix,
  }),
  z.strictObject({
    type: z.literal('local'),
    /** Folder on the worker's own disk; its own configuration must have no `storage`. */
    path: z.string().startsWith('/', { error: 'must be an absolute path on the worker' }),
    /** Reelkit's processes see this folder, too, under the same path: the same machine, or a shared volume. */
    shared: z.boolean().optional(),
  }),
  z
    .strictObject({
      type: z.literal('s3'),
      bucket: z.string().min(1),
      region: z.string().default(''),
      endpoint: z.union([z.literal(''), webUrl]).default(''),
      accessKey: keys,
      secret: keys,
      sessionToken: keys,
      /** No keys: the identity that the worker's platform gives it, such as an IAM role. */
      workerIdentity,
      ownIdentity,
      forcePathStyle: z.boolean().default(false),
      prefix,
    })
    .superRefine((settings, context) => {
      const problem = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message });
      const { accessKey, secret: secretKey, sessionToken, workerIdentity: isWorkers } = settings;
      if (accessKey !== '' && secretKey === '') problem('secret', 'is needed with accessKey: one does not work alone');
      else if (accessKey === '' && secretKey !== '')
        problem('accessKey', 'is needed with secret: one does not work alone');
      else if (accessKey === '' && sessionToken !== '')
        problem('accessKey', 'is needed with sessionToken, and secret, too');
      else if (isWorkers && accessKey !== '') problem('workerIdentity', 'and keys exclude each other: keep one');
      else if (!isWorkers && accessKey === '') problem('accessKey', NO_KEYS('accessKey and secret'));
    }),
  z
    .strictObject({
      type: z.literal('gcs'),
      bucket: z.string().min(1),
      /** Service account JSON. */
      credentials: z
        .string()
        .refine((text) => text === '' || isServiceAccount(text), {
          error: 'must be the JSON of a service account itself, with client_email and private_key, and no path to it',
        })
        .default(''),
      workerIdentity,
      ownIdentity,
      prefix,
    })
    .superRefine(({ credentials, workerIdentity: isWorkers }, context) => {
      const problem = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message });
      if (isWorkers && credentials !== '') problem('workerIdentity', 'and credentials exclude each other: keep one');
      if (!isWorkers && credentials === '') problem('credentials', NO_KEYS('credentials'));
    }),
  z.strictObject({
    type: z.literal('azure'),
    accountName: z.string().min(1),
    accountKey: secret,
    containerName: z.string().min(1),
    prefix,
  }),
]);

export type Storage = z.output<typeof storage>;

const NO_KEYS = (keys: string) =>
  `a worker does not add keys of its own to a storage that it is sent. Give ${keys}; or \`type: worker\`, if the storage stands in the workers' own configuration; or \`workerIdentity: true\`, if their platform gives them a role`;

function isServiceAccount(text: string): boolean {
  try {
    const { client_email: email, private_key: key } = JSON.parse(text) as Record<string, unknown>;
    return typeof email === 'string' && typeof key === 'string';
  } catch {
    return false;
  }
}
