// A configuration as it was read, before anybody knows that it is one.

export function valueAt(value: unknown, path: string[]): unknown {
  const entry = (inner: unknown, key: string) =>
    isRecord(inner) ? inner[key] : Array.isArray(inner) ? inner[Number(key)] : undefined;
  return path.reduce<unknown>(entry, value);
}

/** Through what is a list or an object already; anything else gives way. */
export function setAt(target: Record<string, unknown>, path: string[], value: unknown): void {
  const [head, ...rest] = path;
  if (head === undefined) return;
  if (rest.length === 0) {
    target[head] = value;
    return;
  }
  if (!isRecord(target[head]) && !Array.isArray(target[head])) target[head] = {};
  setAt(target[head] as Record<string, unknown>, rest, value);
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
