// What one run of a workflow hands to the next: all that an object holds, as JSON. Whatever is added to it later is carried as well.
// Pure.

/** An object's fields, with what is inside: plain data, Maps, Sets, and objects of classes. */
export type Carried = Record<string, unknown>;

const MAP = '__map';
const SET = '__set';

/** @param except fields that are not carried */
export function carry(held: object, except: readonly string[] = []): Carried {
  const kept = Object.entries(held).filter(([key, value]) => !except.includes(key) && value !== undefined);
  return Object.fromEntries(kept.map(([key, value]) => [key, packed(value)]));
}

/** Into an object that was made anew; objects of classes inside it stay what they are. */
export function restore(held: object, carried: Carried): void {
  const fields = held as Record<string, unknown>;
  for (const [key, value] of Object.entries(carried)) {
    const present = fields[key];
    if (isOfClass(present)) restore(present, value as Carried);
    else fields[key] = unpacked(value);
  }
}

function packed(value: unknown): unknown {
  if (value instanceof Map) return { [MAP]: [...value].map(([key, inner]) => [key, packed(inner)]) };
  if (value instanceof Set) return { [SET]: [...value] };
  if (Array.isArray(value)) return value.map(packed);
  return typeof value === 'object' && value !== null ? carry(value) : value;
}

function unpacked(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(unpacked);
  if (typeof value !== 'object' || value === null) return value;
  const { [MAP]: entries, [SET]: members } = value as Record<string, unknown[]>;
  if (entries) return new Map(entries.map((entry) => unpacked(entry) as [unknown, unknown]));
  if (members) return new Set(members);
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, unpacked(inner)]));
}

function isOfClass(value: unknown): value is object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return !(value instanceof Map || value instanceof Set) && Object.getPrototypeOf(value) !== Object.prototype;
}
