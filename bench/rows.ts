// A row of the benchmark, and the table they are printed in.

export interface Row {
  id: string;
  value: number;
  unit: string;
  /** What it is compared with, and that figure. */
  against: string;
  /** Empty: only reported. */
  target: string;
  holds: boolean;
  /** How it was measured. */
  how: string;
}

export function renderTable(rows: Row[]): string {
  const head = ['id', 'value', 'target', 'holds', 'against', 'how'];
  const body = rows.map((row) => [
    row.id,
    `${formatValue(row.value)} ${row.unit}`,
    row.target || 'reported',
    row.holds ? 'yes' : 'NO',
    row.against || '-',
    row.how,
  ]);
  return [head, head.map(() => '---'), ...body].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function formatValue(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(2);
}
