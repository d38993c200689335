// The size of text as it is stored and sent: UTF-8. Pure; also inside workflows.

/** At most so many bytes of it, and no half character. @param mark ends what was cut */
export function cutToBytes(text: string, maxBytes: number, mark = ''): string {
  if (text.length * 3 <= maxBytes || bytesOf(text) <= maxBytes) return text;
  const limit = maxBytes - bytesOf(mark);
  let bytes = 0;
  let kept = '';
  for (const character of text) {
    bytes += utf8Bytes(character.codePointAt(0) ?? 0);
    if (bytes > limit) break;
    kept += character;
  }
  return kept + mark;
}

export function bytesOf(text: string): number {
  let bytes = 0;
  for (const character of text) bytes += utf8Bytes(character.codePointAt(0) ?? 0);
  return bytes;
}

function utf8Bytes(codePoint: number): number {
  if (codePoint < 0x80) return 1;
  if (codePoint < 0x800) return 2;
  return codePoint < 0x10000 ? 3 : 4;
}
