// Redis' wire format, read as it comes: whole frames, each with its bytes as they were. Not more than a proxy needs.

/** Bulk strings are buffers, arrays of every kind are arrays; numbers and the like are the buffers of their text. */
export type RespValue = Buffer | RespValue[] | null;

export interface RespFrame {
  raw: Buffer;
  value: RespValue;
}

const BULK = '$=!';
const PAIRS = '%|';
const LISTS = `*>~${PAIRS}`;

/** @returns what is complete, each time more has come */
export function createRespReader(): (chunk: Buffer) => RespFrame[] {
  let pending: Buffer = Buffer.alloc(0);
  return (chunk) => {
    pending = Buffer.concat([pending, chunk]);
    const frames: RespFrame[] = [];
    let from = 0;
    for (let found = read(pending, from); found; found = read(pending, from)) {
      frames.push({ raw: pending.subarray(from, found.end), value: found.value });
      from = found.end;
    }
    pending = pending.subarray(from);
    return frames;
  };
}

function read(bytes: Buffer, from: number): { value: RespValue; end: number } | undefined {
  const lineEnd = bytes.indexOf('\r\n', from);
  if (lineEnd < 0) return undefined;
  const kind = String.fromCharCode(bytes[from] ?? 0);
  const head = bytes.subarray(from + 1, lineEnd);
  const begin = lineEnd + 2;
  const size = Number(String(head));
  if (BULK.includes(kind)) {
    if (size < 0) return { value: null, end: begin };
    const end = begin + size;
    return bytes.length < end + 2 ? undefined : { value: bytes.subarray(begin, end), end: end + 2 };
  }
  return LISTS.includes(kind)
    ? readList(bytes, begin, PAIRS.includes(kind) ? size * 2 : size)
    : { value: head, end: begin };
}

function readList(bytes: Buffer, from: number, size: number): { value: RespValue; end: number } | undefined {
  if (size < 0) return { value: null, end: from };
  const value: RespValue[] = [];
  let end = from;
  while (value.length < size) {
    const found = read(bytes, end);
    if (!found) return undefined;
    value.push(found.value);
    end = found.end;
  }
  return { value, end };
}

/** A command as clients send it. */
export function respCommand(...words: readonly (string | Uint8Array)[]): Buffer {
  const parts = words.map((word) => Buffer.from(word));
  return Buffer.concat([
    Buffer.from(`*${parts.length}\r\n`),
    ...parts.flatMap((part) => [Buffer.from(`$${part.length}\r\n`), part, Buffer.from('\r\n')]),
  ]);
}
