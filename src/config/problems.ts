// What is wrong with a configuration: key, value and remedy of each problem, in our words and never in a library's, which may quote a
// line that holds a secret.
import type { z } from 'zod';
import { variableFor } from './environment.ts';
import { valueAt } from './raw.ts';
import { HIDDEN, hide, isSecretKey } from './secrets.ts';

export class ConfigError extends Error {
  readonly problems: string[];
  constructor(problems: string[]) {
    super(`the configuration is not valid:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

const SHOWN_CHARACTERS = 200;

export function describeIssue(issue: z.core.$ZodIssue, raw: unknown, origins: Map<string, string>): string {
  const path = issue.path.map(String);
  const key = path.join('.') || '(whole file)';
  const variable = origins.get(key) ?? variableFor(key) ?? variableFor(`${key}.address`);
  if (issue.code === 'unrecognized_keys') return unknownKeys(path, issue.keys);
  const value = valueAt(raw, path);
  const shown = value === undefined ? 'is missing' : `is ${isSecretKey(key) ? HIDDEN : show(value)}`;
  return `${key} ${shown}: ${messageOf(issue, value)}${variable ? ` (set it in the file or as ${variable})` : ''}`;
}

export function show(value: unknown): string {
  const text = JSON.stringify(value, hideInside) ?? String(value);
  return text.length <= SHOWN_CHARACTERS ? text : `${text.slice(0, SHOWN_CHARACTERS)}…`;
}

/** A section that is shown whole, because it is wrong as a whole, may hold the address of a webhook. */
function hideInside(key: string, value: unknown): unknown {
  return key === 'url' ? HIDDEN : hide(key, value);
}

/** The names only: what surrounds them may be the whole file. */
function unknownKeys(path: string[], keys: string[]): string {
  const names = keys.map((key) => [...path, key].join('.'));
  return `${names.join(', ')} ${names.length === 1 ? 'is not a key' : 'are not keys'} of the configuration: correct the name (docs/configuration.md lists all), or remove it`;
}

function messageOf(issue: z.core.$ZodIssue, value: unknown): string {
  // Messages of ours begin with a small letter: they continue "<key> is <value>: ".
  if (/^[a-z]/.test(issue.message)) return issue.message;
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${KINDS[issue.expected] ?? `a ${issue.expected}`}`;
    case 'invalid_value':
      return oneOf(issue.values, value);
    case 'invalid_union':
      return 'options' in issue ? oneOf(issue.options as unknown[], value) : 'is none of the known kinds';
    case 'too_small':
      return tooSmall(issue);
    case 'too_big':
      return `must be ${issue.inclusive === false ? 'below' : 'at most'} ${issue.maximum}${unitOf(issue.origin)}`;
    case 'invalid_key':
      return `has a key that is no name: ${issue.issues.map(({ message }) => message).join(', ')}`;
    default:
      return 'is not valid; see docs/configuration.md';
  }
}

const KINDS: Record<string, string> = {
  object: 'a section with keys of its own',
  record: 'a section with keys of its own',
  array: 'a list',
  boolean: 'true or false',
  int: 'a whole number',
};

function oneOf(known: readonly unknown[], value: unknown): string {
  const meant = known.find((one) => String(one).toLowerCase() === String(value).trim().toLowerCase());
  const list = known.map(String).join(', ');
  return `must be one of ${list}${meant === undefined ? '' : `; write ${String(meant)}`}`;
}

function tooSmall({ origin, minimum, inclusive }: z.core.$ZodIssueTooSmall): string {
  if (Number(minimum) === 1 && origin === 'string') return 'must not be empty';
  if (Number(minimum) === 1 && origin === 'array') return 'needs at least one entry';
  return `must be ${inclusive === false ? 'above' : 'at least'} ${minimum}${unitOf(origin)}`;
}

function unitOf(origin: string): string {
  if (origin === 'string') return ' characters';
  return origin === 'array' ? ' entries' : '';
}
