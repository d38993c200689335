// Who hears of a recording: the receiver that its request names, and those of the configuration whose match fits. Pure. Only the address
// of the request's own is kept with the recording; the others are named, and looked up when something is sent.
import { matches, type RuleMatch, type RuleSubject } from '../rules.ts';
import type { WebhookEventName } from './names.ts';

/** Holds the address as it was given: never shown. */
export interface RequestReceiver {
  kind: 'request';
  url: string;
  /** Whose secret signs: that of the token that asked. */
  apiKey?: string | undefined;
  /** Left out: all. */
  events?: readonly WebhookEventName[] | undefined;
}

export interface ConfiguredReceiver {
  kind: 'configured';
  name: string;
  events?: readonly WebhookEventName[] | undefined;
}

export type Receiver = RequestReceiver | ConfiguredReceiver;

/** What the configuration says of one. */
export interface ReceiverRule {
  name: string;
  match?: RuleMatch | undefined;
  events?: readonly WebhookEventName[] | undefined;
}

/** @param own of the request */
export function receiversOf(
  rules: readonly ReceiverRule[],
  subject: RuleSubject,
  own?: Omit<RequestReceiver, 'kind'>,
): Receiver[] {
  const configured = rules
    .filter(({ match = {} }) => matches(match, subject))
    .map(({ name, events }) => ({ kind: 'configured' as const, name, ...(events ? { events } : {}) }));
  return [...(own ? [{ kind: 'request' as const, ...own }] : []), ...configured];
}

export function wants({ events }: Receiver, event: WebhookEventName): boolean {
  return events === undefined || events.includes(event);
}

/** As answers, logs and the Web UI name it. */
export function nameOfReceiver(receiver: Receiver): string {
  return receiver.kind === 'configured' ? receiver.name : REQUEST_RECEIVER;
}

/** No receiver of the configuration can be called so. */
export const REQUEST_RECEIVER = '(request)';

const HIDDEN = '{...}';

/** Path and query of a webhook's address are often its password. */
export function shownAddress(url: string): string {
  const { protocol, host, pathname, search } = new URL(url);
  return `${protocol}//${host}/${pathname === '/' && search === '' ? '' : HIDDEN}`;
}
