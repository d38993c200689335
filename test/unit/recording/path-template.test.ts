// Where recordings are stored: inside their storage whatever a room is called, and no two at the same path.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkPathTemplate, DEFAULT_PATH_TEMPLATE, renderPath } from '../../../src/recording/path-template.ts';

const VALUES = { room: 'demo', recording: 'r1', atMs: Date.UTC(2030, 0, 31, 9, 5, 7) };

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
    expect(renderPath('{room}/{recording}/{date}/{time}-{retry}.mp4', VALUES)).toBe(
      'demo/r1/2030-01-31/20300131T090507-{retry}.mp4',
    );
  });

  it.each([
    ['talk.mp4', 'talk-r1.mp4'],
    ['talk', 'talk-r1'],
    ['v1.2 of {room}', 'v1.2 of demo-r1'],
    ['talk.{room}', 'talk.demo-r1'],
    ['{recording}/talk', 'r1/talk'],
    [DEFAULT_PATH_TEMPLATE, 'demo/r1'],
  ])('of %j always holds the recording, before the extension: %s', (template, path) => {
    expect(renderPath(template, VALUES)).toBe(path);
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
    expect(renderPath('{room}/{recording}', { ...VALUES, room })).toBe(`${expected}/r1`);
  });

  it('cuts a room name that no file system would take, between characters', () => {
    const [folder = ''] = renderPath('{room}/{recording}', { ...VALUES, room: '会'.repeat(256) }).split('/');
    expect(Buffer.byteLength(folder)).toBeLessThanOrEqual(255);
    expect(folder).toMatch(/^会+$/);
  });
});

const literal = fc.stringMatching(/^[a-zA-Z0-9._ -]{0,6}$/);
const placeholder = fc.constantFrom('{room}', '{recording}', '{retry}', '{date}', '{time}');
const template = fc
  .array(fc.oneof(literal, placeholder, fc.constant('/')), { minLength: 1, maxLength: 10 })
  .map((pieces) => pieces.join(''))
  .filter((text) => checkPathTemplate(text) === undefined && text.length > 0);
const room = fc.oneof(fc.string({ minLength: 1 }), fc.string({ unit: 'binary', minLength: 1, maxLength: 256 }));

describe('for every accepted template and every room', () => {
  it('the path stays inside its storage', () => {
    fc.assert(
      fc.property(template, room, (text, name) => {
        const path = renderPath(text, { ...VALUES, room: name }).replaceAll('{retry}', '0');
        expect(path.split('/')).not.toContain('..');
        expect(path.split('/')).toHaveLength(text.split('/').length);
        expect(path).not.toMatch(/^[/\\]|[\\{}\p{Cc}]/u);
      }),
    );
  });

  it('no two recordings share a path', () => {
    const id = fc.stringMatching(/^[0-9a-z]{16}$/);
    fc.assert(
      fc.property(template, room, id, id, fc.nat(), (text, name, one, other, laterMs) => {
        fc.pre(one !== other);
        const at = (recording: string, atMs: number) => renderPath(text, { recording, room: name, atMs });
        expect(at(one, VALUES.atMs)).not.toBe(at(other, VALUES.atMs + laterMs));
      }),
    );
  });
});
