// reelkit record | ls | show | cancel | extend: the recordings, over HTTP.
import type { RecordingPage } from '../api/schemas.ts';
import { isEnded, STAGES } from '../recording/stage.ts';
import type { RecordingView } from '../recording/view.ts';
import { type ApiClient, type ClientOptions, createApiClient } from './client.ts';
import { CliError, usageError } from './errors.ts';
import { ago, printJson, printLine, stdout, table } from './print.ts';
import { describeRecording } from './show-recording.ts';

interface CommonOptions extends ClientOptions {
  json?: boolean;
}

export interface RecordOptions extends CommonOptions {
  layout?: string;
  audioOnly?: boolean;
  participant?: string;
  path?: string;
  storage?: string;
  startAt?: string;
  maxDuration?: string;
  startWithin?: string;
  priority?: string;
  fleet?: string;
  tenant?: string;
  label?: string[];
  webhook?: string;
  key?: string;
  wait?: boolean;
}

export async function record(room: string, options: RecordOptions): Promise<void> {
  const body = recordingBodyOf(room, options);
  const api = await createApiClient(options);
  const headers: Record<string, string> = options.key === undefined ? {} : { 'Idempotency-Key': options.key };
  const view = await api.post<RecordingView>('/v1/recordings', body, headers);
  if (options.wait) return waitForEnd(api, view, options);
  show(view, options);
}

/** The options as the API's body; what is not given is left to the API's defaults. */
export function recordingBodyOf(room: string, options: RecordOptions): Record<string, unknown> {
  const { participant, layout, audioOnly, path, storage, startAt, maxDuration, startWithin, fleet, tenant } = options;
  if (participant !== undefined && (layout !== undefined || audioOnly)) {
    throw usageError('--participant goes with neither --layout nor --audio-only', 'leave one of them out');
  }
  const source =
    participant === undefined
      ? { type: 'room', room, ...defined({ layout, audioOnly }) }
      : { type: 'participant', room, identity: participant };
  const output = defined({ path, storage });
  return {
    source,
    ...(Object.keys(output).length > 0 ? { outputs: [{ type: 'file', ...output }] } : {}),
    ...defined({ startAt, maxDuration, startWithin, fleet, tenant }),
    ...(options.priority === undefined ? {} : { priority: wholeNumber('--priority', options.priority) }),
    ...(options.webhook === undefined ? {} : { webhook: { url: options.webhook } }),
    ...(options.label === undefined ? {} : { labels: Object.fromEntries(options.label.map(labelPair)) }),
  };
}

interface ListOptions {
  stage?: string;
  room?: string;
  fleet?: string;
  tenant?: string;
  label?: string[];
  limit?: string;
  pageToken?: string;
}

export async function ls(options: CommonOptions & ListOptions): Promise<void> {
  if (options.stage !== undefined && !(STAGES as readonly string[]).includes(options.stage)) {
    throw usageError(`--stage ${options.stage} is no stage`, `use one of ${STAGES.join(', ')}`);
  }
  const { stage, room, fleet, tenant, limit, pageToken } = options;
  const api = await createApiClient(options);
  const query = new URLSearchParams(Object.entries(defined({ stage, room, fleet, tenant, limit, pageToken })));
  for (const label of options.label ?? []) query.append('label', label);
  const page = await api.get<RecordingPage>(`/v1/recordings?${query}`);
  if (options.json) return printJson(page);
  stdout.write(recordingTable(page, Date.now()));
}

export function recordingTable({ recordings, nextPageToken }: RecordingPage, nowMs: number): string {
  if (recordings.length === 0) return 'no recordings\n';
  const rows = recordings.map((recording) => [
    recording.id,
    recording.waitingFor ? `${recording.stage} for ${recording.waitingFor}` : recording.stage,
    recording.room ?? recording.source,
    String(recording.priority),
    ago(recording.requestedAtMs, nowMs),
    Object.entries(recording.labels)
      .map(([key, value]) => `${key}=${value}`)
      .join(' '),
  ]);
  const more = nextPageToken ? `more: reelkit ls --page-token ${nextPageToken}\n` : '';
  return table(['ID', 'STAGE', 'ROOM', 'PRIORITY', 'REQUESTED', 'LABELS'], rows) + more;
}

export async function showOne(id: string, options: CommonOptions): Promise<void> {
  const api = await createApiClient(options);
  show(await api.get<RecordingView>(pathOf(id)), options);
}

export async function cancel(id: string, options: CommonOptions): Promise<void> {
  const api = await createApiClient(options);
  show(await api.post<RecordingView>(`${pathOf(id)}/cancel`), options);
}

export async function pause(id: string, options: CommonOptions): Promise<void> {
  const api = await createApiClient(options);
  show(await api.post<RecordingView>(`${pathOf(id)}/pause`), options);
}

export async function resume(id: string, options: CommonOptions): Promise<void> {
  const api = await createApiClient(options);
  show(await api.post<RecordingView>(`${pathOf(id)}/resume`), options);
}

export async function extend(id: string, options: CommonOptions & { by?: string; until?: string }): Promise<void> {
  if ((options.by === undefined) === (options.until === undefined)) {
    throw usageError('extend needs exactly one of --by and --until', 'for example: reelkit extend ID --by 30m');
  }
  const api = await createApiClient(options);
  const body = defined({ by: options.by, until: options.until });
  show(await api.post<RecordingView>(`${pathOf(id)}/extend`, body), options);
}

/** One line for each change of stage; fails when the recording did. */
async function waitForEnd(api: ApiClient, accepted: RecordingView, { json = false }: CommonOptions): Promise<void> {
  let view = accepted;
  let line = '';
  while (!isEnded(view.stage)) {
    for await (const data of api.events(`${pathOf(view.id)}/events`)) {
      view = JSON.parse(data) as RecordingView;
      const next = stageLine(view);
      if (next !== line && !json) printLine(next);
      line = next;
    }
  }
  show(view, { json });
  if (view.stage === 'failed' || view.stage === 'expired') {
    throw new CliError(`recording ${view.id} ${view.stage}: ${view.reason?.message ?? 'no reason given'}`);
  }
}

function stageLine({ id, stage, waiting }: RecordingView): string {
  return `${id}  ${stage}${waiting ? ` for ${waiting.for}: ${waiting.detail}` : ''}`;
}

function show(view: RecordingView, { json }: { json?: boolean }): void {
  if (json) printJson(view);
  else stdout.write(describeRecording(view, Date.now()));
}

function pathOf(id: string): string {
  return `/v1/recordings/${encodeURIComponent(id)}`;
}

function labelPair(text: string): [string, string] {
  const [key = ''] = text.split('=', 1);
  if (key === '' || key === text) throw usageError(`--label ${text} is not of the form key=value`);
  return [key, text.slice(key.length + 1)];
}

function wholeNumber(option: string, text: string): number {
  if (!/^\d+$/.test(text)) throw usageError(`${option} ${text} is not a whole number`);
  return Number(text);
}

function defined<T extends Record<string, unknown>>(values: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}
