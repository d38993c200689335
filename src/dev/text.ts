// Two helpers for readable errors. Pure.

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

export function lastLines(text: string, count: number): string {
  return text.trimEnd().split('\n').slice(-count).join('\n');
}
