// Text as Temporal's index stores it. Whoever searches by these compares what is found with the memo: they are lossy. Pure.
import type { RecordingRequest } from '../recording/request.ts';

/** PostgreSQL visibility stores keywords as varchar(255); LiveKit's room names may be one longer. */
const KEYWORD_CHARACTERS = 255;

export function roomKeyword(room: string): string {
  return keyword(room).slice(0, KEYWORD_CHARACTERS);
}

export function labelKeywords({ labels, tenant }: Pick<RecordingRequest, 'labels' | 'tenant'>): string[] {
  const pairs = Object.entries(labels).map(([key, value]) => keyword(`${key}=${value}`));
  return tenant === undefined ? pairs : [...pairs, tenantKeyword(tenant)];
}

/** Beside the labels, whose keys cannot begin like this: a search attribute of its own would have to be made in every namespace. */
export function tenantKeyword(tenant: string): string {
  return keyword(`@tenant=${tenant}`);
}

/** Temporal's SQL visibility never matches a value with a backslash or a double quote (server 1.32.0, SQLite: tried). */
export function keyword(text: string): string {
  return text.replaceAll('\\', '%5C').replaceAll('"', '%22');
}

/** A value of a query. */
export function quoted(value: string): string {
  return `'${keyword(value).replaceAll("'", "''")}'`;
}
