// Turns zod issues into field problems: which field, which value, what is wrong, what to write instead. Pure.
import type { z } from 'zod';
import type { FieldProblem } from './errors.ts';

const SHOWN_CHARACTERS = 100;
/** Values under these keys may hold credentials, in their query or userinfo, or are some. */
const HIDDEN = /url|secret|token|key$|\.storage\./i;

type Issue = z.core.$ZodIssue;

/** @param root name of the whole value when the issue has no path: `body`, `query` */
export function fieldProblems(issues: readonly Issue[], input: unknown, root: string): FieldProblem[] {
  return issues.flatMap((issue) => describe(issue, issue.path, input, root));
}

function describe(issue: Issue, path: readonly PropertyKey[], input: unknown, root: string): FieldProblem[] {
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownField([...path, key], input));
  if (issue.code === 'invalid_key') return issue.issues.flatMap((inner) => describe(inner, path, input, root));
  if (issue.code === 'invalid_union') return describeUnion(issue, path, input, root);
  const field = path.map(String).join('.') || root;
  return [{ field, ...shownValue(field, path, input), message: issue.message, remedy: remedyFor(issue) }];
}

function unknownField(path: readonly PropertyKey[], input: unknown): FieldProblem {
  const field = path.map(String).join('.');
  return {
    field,
    ...shownValue(field, path, input),
    message: 'is not a known field',
    remedy: 'remove it; /docs lists the fields',
  };
}

/** A union without a discriminator fails once for each branch: the branch that came closest explains best. */
function describeUnion(
  issue: Extract<Issue, { code: 'invalid_union' }>,
  path: readonly PropertyKey[],
  input: unknown,
  root: string,
): FieldProblem[] {
  const closest = [...issue.errors].sort(
    (one, other) => Number(isOfOtherType(one)) - Number(isOfOtherType(other)) || one.length - other.length,
  )[0];
  if (closest && closest.length > 0)
    return closest.flatMap((inner) => describe(inner, [...path, ...inner.path], input, root));
  const field = path.map(String).join('.') || root;
  return [
    {
      field,
      ...shownValue(field, path, input),
      message: 'is none of the known kinds',
      remedy: 'use one of the kinds that /docs lists',
    },
  ];
}

/** The value as a whole is nothing of this branch. */
function isOfOtherType(issues: readonly Issue[]): boolean {
  return issues.some(({ code, path }) => code === 'invalid_type' && path.length === 0);
}

function remedyFor(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `send a value of type ${issue.expected}`;
    case 'invalid_value':
      return `use one of ${issue.values.map((value) => JSON.stringify(value)).join(', ')}`;
    case 'too_big':
      return `use at most ${issue.maximum}${unitOf(issue.origin)}`;
    case 'too_small':
      return `use at least ${issue.minimum}${unitOf(issue.origin)}`;
    case 'invalid_format':
      return issue.format === 'datetime'
        ? 'write it as ISO 8601 with a zone, for example 2030-01-31T09:00:00Z'
        : 'change it to the form the message describes';
    default:
      return 'change it as the message says';
  }
}

function unitOf(origin: string): string {
  if (origin === 'string') return ' characters';
  return origin === 'array' ? ' elements' : '';
}

function shownValue(field: string, path: readonly PropertyKey[], input: unknown): { value?: unknown } {
  const value = path.reduce<unknown>(
    (inner, key) =>
      typeof inner === 'object' && inner !== null ? (inner as Record<PropertyKey, unknown>)[key] : undefined,
    input,
  );
  if (value === undefined || path.length === 0) return {};
  if (HIDDEN.test(field)) return { value: '(hidden)' };
  if (typeof value === 'string') return { value: cut(value) };
  return typeof value === 'object' ? {} : { value };
}

function cut(text: string): string {
  const characters = [...text];
  return characters.length <= SHOWN_CHARACTERS ? text : `${characters.slice(0, SHOWN_CHARACTERS).join('')}…`;
}
