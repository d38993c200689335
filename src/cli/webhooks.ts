// reelkit webhooks show | replay | failed: how Reelkit's own webhooks fared, and sending them again.
import type { FailedDeliveriesView, WebhookDeliveriesView } from '../api/schemas.ts';
import { type ClientOptions, createApiClient } from './client.ts';
import { CliError, usageError } from './errors.ts';
import { ago, printJson, stdout, table } from './print.ts';

interface WebhookOptions extends ClientOptions {
  json?: boolean;
}

export async function showWebhooks(id: string, options: WebhookOptions): Promise<void> {
  const api = await createApiClient(options);
  print(await api.get<WebhookDeliveriesView>(pathOf(id)), options);
}

export async function replay(
  id: string,
  { event, failed, ...options }: WebhookOptions & { event?: string; failed?: boolean },
): Promise<void> {
  if (event !== undefined && !/^[1-9]\d{0,6}$/.test(event))
    throw usageError(`--event ${event} is not the number of an event`, '`reelkit webhooks show` lists them');
  if (event !== undefined && failed)
    throw usageError('--event and --failed exclude each other', 'leave one of them out');
  const api = await createApiClient(options);
  const body = { ...(event === undefined ? {} : { sequence: Number(event) }), ...(failed ? { failed } : {}) };
  const sent = await api.post<WebhookDeliveriesView>(`${pathOf(id)}/replay`, body);
  print(sent, options);
  const missed = sent.events.flatMap(({ deliveries }) => deliveries).filter(({ state }) => state !== 'delivered');
  if (missed.length > 0)
    throw new CliError(`${missed.length} of them did not arrive`, ['those that are pending are tried again for a day']);
}

export async function failedWebhooks({ limit, ...options }: WebhookOptions & { limit?: string }): Promise<void> {
  const api = await createApiClient(options);
  const query = limit === undefined ? '' : `?limit=${encodeURIComponent(limit)}`;
  const view = await api.get<FailedDeliveriesView>(`/v1/webhooks/failed${query}`);
  if (options.json) return printJson(view);
  stdout.write(failedTable(view, Date.now()));
}

export function failedTable({ recordings }: FailedDeliveriesView, nowMs: number): string {
  if (recordings.length === 0) return 'no webhook has failed\n';
  const rows = recordings.map(({ recordingId, endedAtMs }) => [recordingId, ago(endedAtMs, nowMs)]);
  return `${table(['RECORDING', 'GIVEN UP'], rows)}more: reelkit webhooks show ID, reelkit webhooks replay ID --failed\n`;
}

export function deliveriesTable({ events }: WebhookDeliveriesView, nowMs: number): string {
  if (events.length === 0) return 'nobody was to hear of this recording\n';
  const rows = events.flatMap(({ sequence, event, deliveries }) =>
    deliveries.map(({ receiver, state, tries, triedAtMs, status, problem }) => [
      String(sequence),
      event,
      receiver,
      state,
      String(tries),
      triedAtMs === undefined ? '' : ago(triedAtMs, nowMs),
      problem ? `${problem.code}: ${problem.message}` : status === undefined ? '' : String(status),
    ]),
  );
  return table(['EVENT', 'NAME', 'RECEIVER', 'STATE', 'TRIES', 'LAST TRY', 'ANSWER'], rows);
}

function print(view: WebhookDeliveriesView, { json }: WebhookOptions): void {
  if (json) printJson(view);
  else stdout.write(deliveriesTable(view, Date.now()));
}

function pathOf(id: string): string {
  return `/v1/recordings/${encodeURIComponent(id)}/webhooks`;
}
