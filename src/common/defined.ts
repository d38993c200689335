// Optional fields: those that have a value. Pure.

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** `{ a: 1, b: undefined }` becomes `{ a: 1 }`: a field that is not known is absent, in histories and answers alike. */
export function defined<T extends object>(fields: T): Defined<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Defined<T>;
}
