// A configuration file as plain data. What is wrong with its text is told by place and kind, never by quoting it: a line may hold a
// secret.
import { readFileSync } from 'node:fs';
import { LineCounter, parseDocument } from 'yaml';
import { ConfigError } from './problems.ts';
import { isRecord } from './raw.ts';

/** @throws ConfigError that says where, and quotes nothing */
export function readConfigFile(path: string): Record<string, unknown> {
  return parseConfigText(readText(path), path);
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new ConfigError([
      `cannot read ${path}: ${(error as NodeJS.ErrnoException).code ?? 'it failed'}; give an existing file with --config or REELKIT_CONFIG`,
    ]);
  }
}

function parseConfigText(text: string, path: string): Record<string, unknown> {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const [problem] = [...document.errors, ...document.warnings];
  if (problem) {
    const { line, col } = lines.linePos(problem.pos[0]);
    throw notValid(path, `line ${line}, column ${col}: ${REMEDIES[problem.code] ?? 'correct what stands there'}`);
  }
  return sectionsOf(toData(document, path), path);
}

/** An empty file has none. */
export function sectionsOf(value: unknown, what: string): Record<string, unknown> {
  if (value === null || value === undefined) return {};
  if (isRecord(value)) return value;
  const kind = Array.isArray(value) ? 'a list' : 'a single value';
  throw new ConfigError([
    `${what} is ${kind}: must be sections with keys; docs/configuration.md begins with one to copy`,
  ]);
}

function toData(document: ReturnType<typeof parseDocument>, path: string): unknown {
  try {
    return document.toJS();
  } catch {
    // An alias without its anchor, or aliases that grow without end.
    throw notValid(path, 'an alias (*name) leads nowhere: put the value in quotes, or define its anchor before it');
  }
}

function notValid(path: string, problem: string): ConfigError {
  return new ConfigError([`${path} is not valid YAML, ${problem}`]);
}

const QUOTE = 'put the value in quotes';
/** By the codes of the yaml package. */
const REMEDIES: Record<string, string> = {
  BAD_ALIAS: QUOTE,
  BAD_DIRECTIVE: 'a line that begins with % is a directive; remove it, or put the value in quotes',
  BAD_DQ_ESCAPE: 'a backslash in double quotes begins an escape; write two, or use single quotes',
  BAD_INDENT: 'indent it as the lines of its section are',
  BAD_SCALAR_START: QUOTE,
  BLOCK_AS_IMPLICIT_KEY: 'a value with ": " in it needs quotes, and a list or section begins on a line of its own',
  BLOCK_IN_FLOW: 'inside { } and [ ] write everything in that style',
  DUPLICATE_KEY: 'the key is there twice; keep one',
  MISSING_CHAR: 'a quote, bracket or comma is missing before here',
  MULTILINE_IMPLICIT_KEY: 'a key must stand on one line; a colon or a quote may be missing before here',
  MULTIPLE_DOCS: 'the file holds several documents; keep what stands before ---',
  TAB_AS_INDENT: 'indent with spaces, not tabs',
  TAG_RESOLVE_FAILED: 'the tag (!name) is not known; remove it, or put the value in quotes',
  UNEXPECTED_TOKEN: QUOTE,
};
