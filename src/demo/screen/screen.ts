// The one place of the demo that writes to the terminal: lines that stay, and below them a block that is redrawn in place.
// Without a terminal the block is left out. Decides nothing about what is shown.

import type { WriteStream } from 'node:tty';

export interface Screen {
  /** True when `draw` shows something. */
  readonly live: boolean;
  readonly columns: number;
  readonly rows: number;
  /** A line that stays, above the block. */
  line(text: string): void;
  /** Replaces the block; no lines remove it. */
  draw(block: readonly string[]): void;
}

const hideCursor = '\x1b[?25l';
const showCursor = '\x1b[?25h';
const clearLine = '\x1b[K';
const clearBelow = '\x1b[J';

export function createScreen(out: WriteStream): Screen {
  const live = Boolean(out.isTTY) && process.env.TERM !== 'dumb';
  let block: readonly string[] = [];
  if (live) process.once('exit', () => out.write(showCursor));

  /** One write for each change, and each line cleared only from where its new text ends: nothing flickers. */
  const redraw = (lines: readonly string[], next: readonly string[]) => {
    const up = block.length > 0 ? `\x1b[${block.length}F` : '';
    const text = [...lines, ...next].map((line) => `${line}${clearLine}\n`).join('');
    out.write(`${hideCursor}${up}${text}${clearBelow}${next.length === 0 ? showCursor : ''}`);
    block = next;
  };

  return {
    live,
    get columns() {
      return out.columns || 80;
    },
    get rows() {
      return out.rows || 24;
    },
    line(text) {
      if (live) redraw(text.split('\n'), block);
      else out.write(`${text}\n`);
    },
    draw(next) {
      if (live && (next.length > 0 || block.length > 0)) redraw([], next);
    },
  };
}
