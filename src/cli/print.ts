// What commands print: tables and ages for people, JSON for programs.
import { formatDuration } from '../recording/duration.ts';

export interface Output {
  write: (text: string) => void;
}

export const stdout: Output = { write: (text) => void process.stdout.write(text) };

export function printJson(value: unknown, output: Output = stdout): void {
  output.write(`${JSON.stringify(value, null, 2)}\n`);
}

export function printLine(text: string, output: Output = stdout): void {
  output.write(`${text}\n`);
}

/** Columns as wide as their widest cell; the last one is not padded. */
export function table(header: string[], rows: string[][]): string {
  const all = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...all.map((row) => [...(row[column] ?? '')].length)));
  return all
    .map((row) =>
      row.map((cell, column) => pad(cell, column === row.length - 1 ? 0 : (widths[column] ?? 0))).join('  '),
    )
    .map((line) => `${line.trimEnd()}\n`)
    .join('');
}

/** Facts about one thing, names right-aligned; what is undefined is left out. */
export function facts(rows: [name: string, value: string | undefined][]): string {
  const present = rows.filter((row): row is [string, string] => row[1] !== undefined);
  const width = Math.max(...present.map(([name]) => name.length));
  return present.map(([name, value]) => `${name.padStart(width)}  ${value}\n`).join('');
}

export function ago(atMs: number, nowMs: number): string {
  const elapsedMs = Math.max(0, nowMs - atMs);
  return elapsedMs < 1_000 ? 'just now' : `${formatDuration(elapsedMs)} ago`;
}

export function at(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : new Date(ms).toISOString();
}

function pad(cell: string, width: number): string {
  return cell + ' '.repeat(Math.max(0, width - [...cell].length));
}
