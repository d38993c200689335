// Text as Temporal's index stores it. Whoever searches by these compares what is found with the memo: they are lossy. Pure.

interface Labelled {
  labels: Record<string, string>;
  tenant?: string | undefined;
}

/** PostgreSQL visibility stores keywords as varchar(255), in characters; LiveKit's room names may be one longer. */
const KEYWORD_CHARACTERS = 255;

export function roomKeyword(room: string): string {
  return [...keyword(room)].slice(0, KEYWORD_CHARACTERS).join('');
}

export function labelKeywords({ labels, tenant }: Labelled): string[] {
  const pairs = Object.entries(labels).map(([key, value]) => keyword(`${key}=${value}`));
  return tenant === undefined ? pairs : [...pairs, tenantKeyword(tenant)];
}

/** Beside the labels, whose keys cannot begin like this: a search attribute of its own would have to be made in every namespace. */
export function tenantKeyword(tenant: string): string {
  return keyword(`@tenant=${tenant}`);
}

/** What the labels weigh in the index, in bytes. */
export function labelBytes(labelled: Labelled): number {
  return new TextEncoder().encode(JSON.stringify(labelKeywords(labelled))).length;
}

/**
 * Temporal's SQL visibility never matches a value with a backslash or a double quote (server 1.32.0, SQLite: tried), and PostgreSQL
 * stores none with a control character or half of a surrogate pair: the row would be missing, and the recording invisible.
 */
export function keyword(text: string): string {
  return text.replaceAll(
    /[\\"\p{Cc}\p{Cs}]/gu,
    (one) => `%${one.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
}

/** A value of a query. */
export function quoted(value: string): string {
  return `'${keyword(value).replaceAll("'", "''")}'`;
}
