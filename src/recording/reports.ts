// Reports of workers as a recording takes them: which may be believed to be one, which is newer, and the last one of each attempt,
// kept for LiveKit's record. Pure.
import { parseAttemptEgressId } from './attempt.ts';
import { EGRESS_STATUSES, type EgressReport } from './egress.ts';

/** What a worker reports is kept to 64 KiB, base64; more can only have been signalled by hand. */
const MAX_REPORT_CHARACTERS = 100_000;
/** Temporal takes 2 MB in one piece. */
const MAX_REPORTS_CHARACTERS = 1_000_000;

export class KeptReports {
  /** By the number of the attempt. */
  private readonly reports = new Map<number, EgressReport & { info: string }>();

  keep(report: EgressReport): void {
    const attempt = parseAttemptEgressId(report.egressId)?.attempt;
    const { info } = report;
    if (attempt === undefined || typeof info !== 'string' || info.length > MAX_REPORT_CHARACTERS) return;
    const known = this.reports.get(attempt);
    if (!known || !isOlder(report, known)) this.reports.set(attempt, { ...report, info });
  }

  of(egressId: string): (EgressReport & { info: string }) | undefined {
    return this.reports.get(parseAttemptEgressId(egressId)?.attempt ?? -1);
  }

  /** The same report with what was found of its files since. */
  amend(egressId: string, info: string): void {
    const known = this.of(egressId);
    if (known) this.reports.set(parseAttemptEgressId(egressId)?.attempt ?? -1, { ...known, info });
  }

  /** Of an attempt that left nothing, and is not told of. */
  drop(egressId: string): void {
    this.reports.delete(parseAttemptEgressId(egressId)?.attempt ?? -1);
  }

  /** In the order of the attempts; of very many the last ones count. */
  infos(): string[] {
    const infos = [...this.reports].sort(([one], [other]) => one - other).map(([, { info }]) => info);
    let left = MAX_REPORTS_CHARACTERS;
    let from = infos.length;
    while (from > 0 && (infos[from - 1]?.length ?? 0) <= left) {
      from -= 1;
      left -= infos[from]?.length ?? 0;
    }
    return infos.slice(from);
  }

  /** Of the attempt that reported last for the first time. */
  get streams(): EgressReport['streams'] {
    return [...this.reports.values()].at(-1)?.streams;
  }
}

/** Reports overtake each other, and the answers to calls; a status never goes back. */
export function isOlder(one: EgressReport, other: EgressReport): boolean {
  if (one.status === other.status) return (one.updatedAtMs ?? 0) < (other.updatedAtMs ?? 0);
  return EGRESS_STATUSES.indexOf(one.status) < EGRESS_STATUSES.indexOf(other.status);
}

/** One that is ending needs no stop. */
export function mayGoOn({ status }: EgressReport): boolean {
  return status === 'STARTING' || status === 'ACTIVE';
}

/** A signal may be sent by hand and carry anything. */
export function isReport(report: Partial<EgressReport> | undefined): boolean {
  const { egressId, status, files } = report ?? {};
  return (
    typeof egressId === 'string' &&
    status !== undefined &&
    EGRESS_STATUSES.includes(status) &&
    Array.isArray(files) &&
    files.every(isFile) &&
    (isAbsent(report?.backup) || ['all', 'some'].includes(report?.backup ?? '')) &&
    TIMES.every((key) => isAbsent(report?.[key]) || Number.isFinite(report?.[key])) &&
    TEXTS.every((key) => isAbsent(report?.[key]) || typeof report?.[key] === 'string')
  );
}

const TIMES = ['acceptedAtMs', 'startedAtMs', 'updatedAtMs', 'endingAtMs', 'endedAtMs', 'errorCode'] as const;
const TEXTS = ['error', 'details', 'manifestLocation'] as const;

function isAbsent(value: unknown): boolean {
  return value === undefined || value === null;
}

function isFile(file: unknown): boolean {
  const { filename, sizeBytes, durationMs } = (file ?? {}) as Partial<EgressReport['files'][number]>;
  return typeof filename === 'string' && typeof sizeBytes === 'number' && typeof durationMs === 'number';
}
