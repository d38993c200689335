// Defaults for requests that do not say: rules of the configuration, by what is known of a request when it arrives. Pure. A rule
// never overrides what a request says itself; whoever applies the result sees to that.
import type { RecordingRequest, RecordingSource, StopWhen } from './request.ts';

export type SourceKind = RecordingSource['type'];

/** Every condition that is given must hold; a rule without any holds for all. */
export interface RuleMatch {
  /** `*` stands for any characters, `?` for one. Web pages have no room, so they never match. */
  room?: string | undefined;
  source?: SourceKind | readonly SourceKind[] | undefined;
  /** Of the token that asked Reelkit's own API. What came over LiveKit's bus has none. */
  apiKey?: string | undefined;
  /** Each of these labels is there with this value; `*` and `?` as in `room`. */
  labels?: Readonly<Record<string, string>> | undefined;
}

export interface RuleDefaults {
  /** Milliseconds. */
  startWithin?: number | undefined;
  /** Milliseconds. */
  maxDuration?: number | undefined;
  /** Milliseconds. */
  sourceGrace?: number | undefined;
  keep?: RecordingRequest['keep'] | undefined;
  output?: RecordingRequest['output'] | undefined;
  stopWhen?: StopWhen | undefined;
  priority?: number | undefined;
  tenant?: string | undefined;
  fleet?: string | undefined;
  labels?: Readonly<Record<string, string>> | undefined;
}

export interface Rule extends RuleDefaults {
  match?: RuleMatch | undefined;
}

export interface RuleSubject {
  room?: string | undefined;
  source: SourceKind;
  apiKey?: string | undefined;
  labels?: Readonly<Record<string, string>> | undefined;
}

const FIELDS = [
  'startWithin',
  'maxDuration',
  'sourceGrace',
  'stopWhen',
  'priority',
  'keep',
  'output',
  'tenant',
  'fleet',
] as const;

/** For each field the first rule that matches and gives it decides; of the labels, each one by itself. */
export function applyRules(rules: readonly Rule[], subject: RuleSubject): RuleDefaults {
  const matching = rules.filter((rule) => matches(rule.match ?? {}, subject));
  const given = FIELDS.map((field) => [field, matching.find((rule) => rule[field] !== undefined)?.[field]] as const);
  const labels = Object.assign({}, ...matching.map((rule) => rule.labels ?? {}).reverse()) as Record<string, string>;
  return {
    ...Object.fromEntries(given.filter(([, value]) => value !== undefined)),
    ...(Object.keys(labels).length === 0 ? {} : { labels }),
  };
}

export function matches(match: RuleMatch, subject: RuleSubject): boolean {
  return (
    (match.room === undefined || (subject.room !== undefined && matchesGlob(match.room, subject.room))) &&
    (match.source === undefined || [match.source].flat().includes(subject.source)) &&
    (match.apiKey === undefined || match.apiKey === subject.apiKey) &&
    Object.entries(match.labels ?? {}).every(([key, pattern]) => {
      const value = subject.labels && Object.hasOwn(subject.labels, key) ? subject.labels[key] : undefined;
      return value !== undefined && matchesGlob(pattern, value);
    })
  );
}

/** Goes back to the last star only, so that no pattern takes longer than pattern times text. */
export function matchesGlob(pattern: string, text: string): boolean {
  const [wanted, given] = [[...pattern], [...text]];
  let [at, position, star, resumeAt] = [0, 0, -1, 0];
  while (position < given.length) {
    if (wanted[at] === '*') {
      star = at++;
      resumeAt = position;
    } else if (at < wanted.length && (wanted[at] === '?' || wanted[at] === given[position])) {
      at += 1;
      position += 1;
    } else if (star >= 0) {
      at = star + 1;
      position = ++resumeAt;
    } else return false;
  }
  return wanted.slice(at).every((character) => character === '*');
}
