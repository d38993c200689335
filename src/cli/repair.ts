// reelkit repair: records in LiveKit that say an egress runs although nobody runs it. Shows them with their witnesses, asks, ends them.
import { createInterface } from 'node:readline/promises';
import type { LookedRecord } from '../api/schemas.ts';
import { type ApiClient, type ClientOptions, createApiClient } from './client.ts';
import { CliError } from './errors.ts';
import { ago, printJson, printLine, stdout, table } from './print.ts';

export interface RepairOptions extends ClientOptions {
  json?: boolean;
  yes?: boolean;
  olderThan?: string;
}

type Result = Record<'ended' | 'left', LookedRecord[]> & { absent: string[] };

export async function repair(options: RepairOptions): Promise<void> {
  const api = await createApiClient(options);
  const olderThan: Record<string, string> = options.olderThan === undefined ? {} : { olderThan: options.olderThan };
  const { records } = await api.get<{ records: LookedRecord[] }>(`/v1/repair?${new URLSearchParams(olderThan)}`);
  const ghosts = records.filter(({ verdict }) => verdict === 'nobody');
  if (!options.json) stdout.write(describeRecords(records, Date.now()));
  if (ghosts.length === 0 || !(options.yes ?? (await confirm(ghosts.length, options)))) {
    if (options.json) printJson({ records });
    return;
  }
  const result = await end(api, { egressIds: ghosts.map(({ egressId }) => egressId), ...olderThan });
  if (options.json) printJson({ records, ...result });
  else stdout.write(describeResult(result));
  const failed = result.left.filter(({ verdict }) => verdict === 'nobody');
  if (failed.length > 0)
    throw new CliError(`${failed.length} could not be ended: ${failed.map(({ egressId }) => egressId).join(', ')}`, [
      'repeat the command; the log of the API says what LiveKit answered',
    ]);
}

/** The API takes a thousand at a time. */
async function end(api: ApiClient, { egressIds, ...rest }: { egressIds: string[] }): Promise<Result> {
  const whole: Result = { ended: [], left: [], absent: [] };
  for (let from = 0; from < egressIds.length; from += AT_ONCE) {
    const part = await api.post<Result>('/v1/repair', { egressIds: egressIds.slice(from, from + AT_ONCE), ...rest });
    whole.ended.push(...part.ended);
    whole.left.push(...part.left);
    whole.absent.push(...part.absent);
  }
  return whole;
}

const AT_ONCE = 500;

/** Without a terminal there is nobody to ask. */
async function confirm(count: number, { json }: RepairOptions): Promise<boolean> {
  if (json) return false;
  if (!process.stdin.isTTY) {
    printLine(`\nNothing was changed. To end ${count === 1 ? 'it' : 'them'} in LiveKit: reelkit repair --yes`);
    return false;
  }
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await terminal.question(
    `\nEnd ${count === 1 ? 'this record' : `these ${count} records`} in LiveKit? [y/N] `,
  );
  terminal.close();
  return /^y(es)?$/i.test(answer.trim());
}

export function describeRecords(records: readonly LookedRecord[], nowMs: number): string {
  if (records.length === 0) return 'every record in LiveKit has ended\n';
  const ghosts = records.filter(({ verdict }) => verdict === 'nobody');
  const rows = records.map(({ egressId, status, room, changedAtMs, verdict, end, witnesses }) => [
    egressId,
    status,
    room ?? '',
    ago(changedAtMs, nowMs),
    verdict === 'nobody'
      ? `nobody's: would be ${end?.status ?? 'ended'}`
      : `left alone: ${whyLeft({ verdict, witnesses })}`,
  ]);
  const shown = ghosts.map(({ egressId, witnesses }) => `${egressId}: ${witnesses.map(sayWitness).join('; ')}\n`);
  return (
    table(['EGRESS', 'STATUS', 'ROOM', 'CHANGED', 'VERDICT'], rows) +
    (shown.length > 0 ? `\nThe witnesses of what nobody runs:\n${shown.join('')}` : '')
  );
}

export function describeResult({ ended, left, absent }: Result): string {
  return [
    ...ended.map(({ egressId, end }) => `${egressId}  ended as ${end?.status ?? 'ended'}\n`),
    ...left.map((record) => `${record.egressId}  left alone: ${whyLeft(record)}\n`),
    ...absent.map((egressId) => `${egressId}  has ended meanwhile\n`),
  ].join('');
}

const WITNESS: Record<LookedRecord['witnesses'][number]['name'], string> = {
  workflow: 'Temporal',
  workersRedis: "workers' Redis",
  livekitRedis: "LiveKit's Redis",
  installations: 'who would stop it',
  room: 'room',
};

function sayWitness({ name, says }: LookedRecord['witnesses'][number]): string {
  return `${WITNESS[name]}: ${says}`;
}

function whyLeft({ verdict, witnesses }: Pick<LookedRecord, 'verdict' | 'witnesses'>): string {
  if (verdict === 'recent') return 'it changed a moment ago';
  if (verdict === 'nobody') return 'LiveKit did not take its end';
  return witnesses
    .filter(({ shows }) => shows)
    .map(sayWitness)
    .join('; ');
}
