// Where a recording is stored: a path template inside a storage, with {room}, {recording}, {date}, {time} and {retry}. Pure. The
// rendered path always holds the recording; each attempt after the first adds its number, in place of {retry} or before the
// extension, so that no two egresses can write the same file.
import { cutToBytes } from './bytes.ts';

const PLACEHOLDERS = ['room', 'recording', 'date', 'time', 'retry'] as const;
type Placeholder = (typeof PLACEHOLDERS)[number];

export const DEFAULT_PATH_TEMPLATE = '{room}/{recording}';

/** @returns what is wrong with the template and what to write instead, or undefined when it is fine */
export function checkPathTemplate(template: string): string | undefined {
  if (template.startsWith('/') || template.startsWith('\\') || /^[A-Za-z]:/.test(template)) {
    return `path "${template}" is absolute; write it relative to the storage`;
  }
  if (template.includes('\\')) return `path "${template}" contains a backslash; separate folders with /`;
  if (/\p{Cc}/u.test(template)) return 'path contains a control character';
  const segments = template.split('/');
  if (segments.some((segment) => segment === '..' || segment === '.')) {
    return `path "${template}" leaves or re-enters its folder; remove "." and ".." segments`;
  }
  if (template.endsWith('/')) return `path "${template}" names a folder; end it with a file name`;
  if (segments.some((segment) => segment.trim() === '')) return `path "${template}" has a folder without a name`;
  const unknown = [...template.matchAll(/\{([^{}]*)\}/g)]
    .map((match) => match[1] ?? '')
    .find((key) => !isPlaceholder(key));
  if (unknown !== undefined)
    return `path has the unknown placeholder {${unknown}}; known: ${PLACEHOLDERS.map((p) => `{${p}}`).join(' ')}`;
  if (/[{}]/.test(template.replaceAll(/\{[^{}]*\}/g, ''))) return `path "${template}" has an unmatched brace`;
  return undefined;
}

export interface PathValues {
  room: string;
  recording: string;
  atMs: number;
}

/** `{retry}` stays: it is filled for each attempt. */
export function renderPath(template: string, values: PathValues): string {
  const iso = new Date(values.atMs).toISOString();
  const texts: Record<Placeholder, string> = {
    room: pathSafe(values.room),
    recording: pathSafe(values.recording),
    date: iso.slice(0, 10),
    time: iso.slice(0, 19).replaceAll(/[-:]/g, ''),
    retry: '{retry}',
  };
  return withRecording(template).replaceAll(/\{([^{}]*)\}/g, (_, key: string) =>
    isPlaceholder(key) ? texts[key] : '',
  );
}

/** The template as it is meant: what leaves the recording out has it before its extension. */
export function withRecording(template: string): string {
  if (template.includes('{recording}')) return template;
  const extension = template.match(/\.[A-Za-z0-9]{1,5}$/)?.[0] ?? '';
  return `${template.slice(0, template.length - extension.length)}-{recording}${extension}`;
}

/** File systems take 255 bytes for one name; the rest of the name needs its share. */
const TEXT_BYTES = 120;

/** Room names may hold anything; in a path they must stay one segment, and LiveKit must find no {placeholder} of its own. */
function pathSafe(text: string): string {
  const safe = cutToBytes(text.replaceAll(/[/\\{}\p{Cc}\p{Cs}:*?"<>|]/gu, '_'), TEXT_BYTES);
  return /^\.+$/.test(safe) ? safe.replaceAll('.', '_') : safe;
}

function isPlaceholder(key: string): key is Placeholder {
  return (PLACEHOLDERS as readonly string[]).includes(key);
}
