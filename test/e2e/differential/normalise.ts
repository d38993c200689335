// What may differ between two runs of the same call, replaced by its kind: ids in the order they come, times, sizes, the folder. Pure.
import type { JsonObject, JsonValue } from '@bufbuild/protobuf';

export interface Places {
  /** Where files go in this run. */
  recordingsDir: string;
  hooksUrl: string;
}

/** A worker's own folder, under which relative paths go. */
const WORKER_FOLDER = /\/\S*?\/reelkit-(plain-\w+|e2e-\w+\/workers\/[\w-]+)\//g;
const TIMES = /^(startedAt|endedAt|updatedAt|createdAt|lastRetryAt)$/;
const AMOUNTS = /^(duration|size|segmentCount|imageCount)$/;

/** Ids are numbered within one scenario; so use one of these for each. */
export function normaliser({ recordingsDir, hooksUrl }: Places): (value: JsonValue) => JsonValue {
  const numbers = new Map<string, number>();
  const numberOf = (id: string) => {
    if (!numbers.has(id)) numbers.set(id, numbers.size + 1);
    return numbers.get(id);
  };
  const text = (value: string) =>
    value
      .replaceAll(recordingsDir, '<dir>')
      .replaceAll(WORKER_FOLDER, '<worker>/')
      .replaceAll(hooksUrl, '<hooks>')
      .replaceAll(/EG_[A-Za-z0-9]{12}/g, (id) => `EG_<${numberOf(id)}>`)
      .replaceAll(/(RM|EV)_[A-Za-z0-9]+/g, '$1_<id>')
      .replaceAll(/\d{4}-\d\d-\d\dT\d{6}/g, '<time>')
      .replaceAll(/\b\d{17}\b/g, '<utc>')
      .replaceAll(/eyJ[\w-]+\.[\w-]+\.[\w-]+/g, '<token>');
  const walk = (value: JsonValue, key = ''): JsonValue => {
    if (typeof value === 'string' || typeof value === 'number') {
      if (TIMES.test(key)) return '<time>';
      if (AMOUNTS.test(key)) return '<amount>';
      return typeof value === 'string' ? text(value) : value;
    }
    if (Array.isArray(value)) return value.map((item) => walk(item));
    if (value === null || typeof value !== 'object') return value;
    const entries = Object.entries(settled(value)).map(([name, inner]) => [name, walk(inner ?? null, name)]);
    return Object.fromEntries(entries);
  };
  return (value) => walk(value);
}

/** Whether a stream has connected yet, how much there is of what grows, and what is finished of what ends, is a matter of milliseconds. */
const GROWING = ['segmentCount', 'imageCount'];
const FINISHED = [...GROWING, 'endedAt', 'duration', 'size', 'location', 'playlistLocation', 'livePlaylistLocation'];

function settled(value: JsonObject): JsonObject {
  const { status } = value;
  if (status === 'EGRESS_ENDING') return without(['manifestLocation'], unfinished(value) as JsonObject);
  if (typeof value.url === 'string' && !('endedAt' in value)) return without(['startedAt'], value);
  return 'endedAt' in value ? value : without(GROWING, value);
}

function unfinished(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(unfinished);
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value).map(([name, inner]) => [name, unfinished(inner ?? null)]);
  const open = without(FINISHED, Object.fromEntries(entries));
  return open.status === 'FINISHED' ? without(['status'], open) : open;
}

function without(names: readonly string[], value: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(value).filter(([name]) => !names.includes(name))) as JsonObject;
}
