// Draws a speaker's moving picture into an I420 buffer: name, clock, a square that walks. Pure but for the buffer it fills.
// Its own drawing costs a fraction of a millisecond a frame; a filter process for each speaker costs far more.

import { glyphHeight, glyphOf, glyphWidth } from './font.ts';

export interface PictureSettings {
  width: number;
  height: number;
  /** Written large at the top. */
  label: string;
  /** 0-359: the colour of the background, so that rooms differ at a glance. */
  hue: number;
}

export interface Picture {
  /** The same buffer each time: use it before drawing again. */
  draw(frame: number, clock: string): Uint8Array;
}

const white = 235;
const backgroundLuma = 70;
const chromaSwing = 60;
const margin = 8;
const advance = glyphWidth + 1;

export function createPicture({ width, height, label, hue }: PictureSettings): Picture {
  if (width % 2 !== 0 || height % 2 !== 0) throw new Error(`a picture of ${width}x${height} needs even sides`);
  const background = new Uint8Array((width * height * 3) / 2);
  const lumaSize = width * height;
  const angle = (hue * Math.PI) / 180;
  background.fill(backgroundLuma, 0, lumaSize);
  background.fill(128 + chromaSwing * Math.cos(angle), lumaSize, lumaSize * 1.25);
  background.fill(128 + chromaSwing * Math.sin(angle), lumaSize * 1.25);
  const labelScale = scaleFor(label, width, 4);
  drawText(background, width, label, margin, margin, labelScale);

  const buffer = new Uint8Array(background.length);
  const clockTop = margin * 2 + glyphHeight * labelScale;
  const side = Math.floor(height / 5);
  return {
    draw(frame, clock) {
      buffer.set(background);
      drawText(buffer, width, clock, margin, clockTop, scaleFor(clock, width, 3));
      const left = (frame * 4) % (width - side);
      fillSquare(buffer, width, left, height - side - margin, side);
      return buffer;
    },
  };
}

/** The largest scale, up to `wanted`, with which the text fits into the width. */
function scaleFor(text: string, width: number, wanted: number): number {
  return Math.max(1, Math.min(wanted, Math.floor((width - 2 * margin) / (text.length * advance))));
}

function drawText(buffer: Uint8Array, stride: number, text: string, left: number, top: number, scale: number): void {
  const fitting = Math.floor((stride - left) / (advance * scale));
  for (const [i, character] of [...text].slice(0, fitting).entries()) {
    drawGlyph(buffer, stride, glyphOf(character), left + i * advance * scale, top, scale);
  }
}

function drawGlyph(
  buffer: Uint8Array,
  stride: number,
  glyph: readonly number[],
  left: number,
  top: number,
  scale: number,
) {
  for (const [y, bits] of glyph.entries()) {
    for (let x = 0; x < glyphWidth; x++) {
      if (bits & (1 << (glyphWidth - 1 - x))) fillSquare(buffer, stride, left + x * scale, top + y * scale, scale);
    }
  }
}

function fillSquare(buffer: Uint8Array, stride: number, left: number, top: number, side: number): void {
  for (let y = top; y < top + side; y++) buffer.fill(white, y * stride + left, y * stride + left + side);
}

/** `14:03:09.4` */
export function clockText(now: Date): string {
  const part = (value: number) => String(value).padStart(2, '0');
  const tenth = Math.floor(now.getMilliseconds() / 100);
  return `${part(now.getHours())}:${part(now.getMinutes())}:${part(now.getSeconds())}.${tenth}`;
}
