// Where parts are stored: inside their storage whatever a room is called, and never twice at the same path.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkPathTemplate, DEFAULT_PATH_TEMPLATE, renderPath } from '../../../src/recording/path-template.ts';

const VALUES = { room: 'demo', recording: 'r1', part: 1, attempt: 1, atMs: Date.UTC(2030, 0, 31, 9, 5, 7) };

describe('a path template', () => {
  it.each([
    ['/etc/passwd', 'absolute'],
    ['\\\\server\\share', 'absolute'],
    ['C:/recordings/{room}', 'absolute'],
    ['a\\b', 'backslash'],
    ['../{room}', 'leaves'],
    ['a/../../b', 'leaves'],
    ['a/./b', 'leaves'],
    ['..', 'leaves'],
    ['a/', 'names a folder'],
    ['a//b', 'without a name'],
    [' /b', 'without a name'],
    ['a\u0000b', 'control character'],
    ['a\nb', 'control character'],
    ['{rooom}', 'unknown placeholder {rooom}'],
    ['{room_name}', 'unknown placeholder'],
    ['{room', 'unmatched brace'],
    ['room}', 'unmatched brace'],
    ['{{room}}', 'unmatched brace'],
  ])('%j is refused: %s', (template, problem) => {
    expect(checkPathTemplate(template)).toContain(problem);
  });

  it.each([DEFAULT_PATH_TEMPLATE, '{date}/{time}-{room}.mp4', 'a/b/c', '{room}', '...a/{room}', 'überall/{recording}'])(
    '%j is fine',
    (template) => {
      expect(checkPathTemplate(template)).toBeUndefined();
    },
  );
});

describe('a rendered path', () => {
  it('fills in each placeholder', () => {
    expect(renderPath('{room}/{recording}/{date}/{time}-{part}-{attempt}.mp4', VALUES)).toBe(
      'demo/r1/2030-01-31/20300131T090507-1-1.mp4',
    );
  });

  it('gets what the template left out before its extension', () => {
    expect(renderPath('talk.mp4', VALUES)).toBe('talk-r1.mp4');
    expect(renderPath('talk.mp4', { ...VALUES, part: 2, attempt: 3 })).toBe('talk-r1-part-2-try-3.mp4');
    expect(renderPath(DEFAULT_PATH_TEMPLATE, { ...VALUES, attempt: 2 })).toBe('demo/r1/part-1-try-2');
  });

  it('does not count a placeholder whose number runs into another', () => {
    expect(renderPath('{recording}/{part}{attempt}', { ...VALUES, part: 1, attempt: 11 })).toBe('r1/111-try-11');
    expect(renderPath('{recording}/{part}{attempt}', { ...VALUES, part: 11, attempt: 1 })).toBe('r1/111-part-11');
  });

  it.each([
    ['../../etc', '.._.._etc'],
    ['a/b\\c', 'a_b_c'],
    ['..', '__'],
    ['.', '_'],
    ['{time}', '_time_'],
    ['a\u0000b\nc', 'a_b_c'],
    ['what?*:"<>|', 'what_______'],
    ['Räume für 会議', 'Räume für 会議'],
    ['\ud800', '_'],
  ])('keeps the room %j inside one segment', (room, expected) => {
    expect(renderPath('{room}/{recording}/{part}', { ...VALUES, room })).toBe(`${expected}/r1/1`);
  });

  it('cuts a room name that no file system would take, between characters', () => {
    const [folder = ''] = renderPath('{room}/{recording}/{part}', { ...VALUES, room: '会'.repeat(256) }).split('/');
    expect(Buffer.byteLength(folder)).toBeLessThanOrEqual(255);
    expect(folder).toMatch(/^会+$/);
  });
});

const literal = fc.stringMatching(/^[a-zA-Z0-9._ -]{0,6}$/);
const placeholder = fc.constantFrom('{room}', '{recording}', '{part}', '{attempt}', '{date}', '{time}');
const template = fc
  .array(fc.oneof(literal, placeholder, fc.constant('/')), { minLength: 1, maxLength: 10 })
  .map((pieces) => pieces.join(''))
  .filter((text) => checkPathTemplate(text) === undefined && text.length > 0);
const room = fc.oneof(fc.string({ minLength: 1 }), fc.string({ unit: 'binary', minLength: 1, maxLength: 256 }));
const start = fc.record({ part: fc.integer({ min: 1, max: 120 }), attempt: fc.integer({ min: 1, max: 120 }) });

describe('for every accepted template and every room', () => {
  it('the path stays inside its storage', () => {
    fc.assert(
      fc.property(template, room, start, (text, name, numbers) => {
        const path = renderPath(text, { ...VALUES, ...numbers, room: name });
        expect(path.split('/')).not.toContain('..');
        expect(path.split('/')).toHaveLength(text.split('/').length);
        expect(path).not.toMatch(/^[/\\]|[\\{}\p{Cc}]/u);
      }),
    );
  });

  it('no two starts of a recording share a path, whenever they are', () => {
    fc.assert(
      fc.property(template, room, start, start, fc.nat(), (text, name, one, other, laterMs) => {
        fc.pre(one.part !== other.part || one.attempt !== other.attempt);
        const at = (numbers: typeof one, atMs: number) => renderPath(text, { ...VALUES, ...numbers, room: name, atMs });
        expect(at(one, VALUES.atMs)).not.toBe(at(other, VALUES.atMs));
        expect(at(one, VALUES.atMs)).not.toBe(at(other, VALUES.atMs + laterMs));
      }),
      { numRuns: 2_000 },
    );
  });

  it('no two recordings share a path', () => {
    const id = fc.stringMatching(/^[0-9a-z]{16}$/);
    fc.assert(
      fc.property(template, room, id, id, start, start, (text, name, one, other, first, second) => {
        fc.pre(one !== other);
        const at = (recording: string, numbers: typeof first) =>
          renderPath(text, { ...VALUES, ...numbers, recording, room: name });
        expect(at(one, first)).not.toBe(at(other, second));
      }),
    );
  });
});
