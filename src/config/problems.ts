// What is wrong with a configuration: key, value and remedy of each problem.
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

export function describeIssue(issue: z.core.$ZodIssue, raw: unknown, origins: Map<string, string>): string {
  const path = issue.path.map(String);
  const key = path.join('.') || '(whole file)';
  const variable = origins.get(key) ?? variableFor(key) ?? variableFor(`${key}.address`);
  if (issue.code === 'unrecognized_keys') return unknownKeys(path, issue.keys);
  const value = valueAt(raw, path);
  const shown = value === undefined ? 'is missing' : `is ${isSecretKey(key) ? HIDDEN : JSON.stringify(value, hide)}`;
  return `${key} ${shown}: ${messageOf(issue)}${variable ? ` (set it in the file or as ${variable})` : ''}`;
}

/** The names only: what surrounds them may be the whole file. */
function unknownKeys(path: string[], keys: string[]): string {
  const names = keys.map((key) => [...path, key].join('.'));
  return `${names.join(', ')} ${names.length === 1 ? 'is not a key' : 'are not keys'} of the configuration: correct the name (docs/configuration.md lists all), or remove it`;
}

/** zod's "expected string, received undefined" says twice that it is missing. */
function messageOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_type' && issue.message.startsWith('Invalid input'))
    return `must be ${/^[aeio]/.test(issue.expected) ? 'an' : 'a'} ${issue.expected}`;
  return issue.message;
}
