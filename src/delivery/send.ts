// Sends one event to one receiver: finds its address and the key that signs in the configuration of now, so that both may change while
// an event waits.
import { nameOfReceiver, type Receiver } from '../recording/webhooks/receivers.ts';
import type { Failure, SendOutcome } from '../recording/webhooks/retry.ts';
import { type PostParts, postWebhook } from './post.ts';
import { type SigningKey, signBody } from './sign.ts';

export interface SendSettings extends PostParts {
  /** Of the configuration; the first signs for receivers that name none. */
  keys: readonly SigningKey[];
  receivers: readonly { name: string; url: string; apiKey?: string | undefined }[];
}

/** Never throws. */
export async function sendEvent(receiver: Receiver, body: string, settings: SendSettings): Promise<SendOutcome> {
  const target = targetOf(receiver, settings);
  if (!target) return unknown('receiver_unknown', `receiver ${nameOfReceiver(receiver)} is not configured any more`);
  const wanted = target.apiKey ?? settings.keys[0]?.apiKey;
  const key = settings.keys.find(({ apiKey }) => apiKey === wanted);
  if (!key) return unknown('key_unknown', `API key ${wanted}, which signs for it, is not configured any more`);
  return postWebhook({ url: target.url, body, authorization: await signBody(body, key) }, settings);
}

function targetOf(receiver: Receiver, { receivers }: SendSettings) {
  return receiver.kind === 'request' ? receiver : receivers.find(({ name }) => name === receiver.name);
}

function unknown(code: Failure['code'], message: string): Failure {
  return { kind: 'failed', code, message };
}
