/** How many cells a character takes; agrees with the server's emulator (see tools/make_widths.py). */
import type { IUnicodeVersionProvider } from "@xterm/headless";
import { DOUBLE_WIDTH, ZERO_WIDTH } from "./widths.ts";

type CellWidth = 0 | 1 | 2;

function fill(table: Uint8Array, encoded: string, width: CellWidth): void {
  const numbers = encoded.split(" ").map((text) => Number.parseInt(text, 36));
  let at = 0;
  for (let i = 0; i + 1 < numbers.length; i += 2) {
    const first = at + (numbers[i] ?? 0);
    at = first + (numbers[i + 1] ?? 0);
    table.fill(width, first, at + 1);
  }
}

/** Gives xterm.js our widths. One code point, one width; what has none joins the cell before it. */
export class CellWidths implements IUnicodeVersionProvider {
  readonly version = "steno";
  private readonly table = new Uint8Array(0x110000).fill(1);

  constructor() {
    this.table.fill(0, 0, 0x20);
    this.table.fill(0, 0x7f, 0xa0);
    fill(this.table, ZERO_WIDTH, 0);
    fill(this.table, DOUBLE_WIDTH, 2);
  }

  wcwidth(codepoint: number): CellWidth {
    return (this.table[codepoint] ?? 1) as CellWidth;
  }

  /** xterm.js's packed answer: width in bits 1 and 2, "joins the cell before" in bit 0. */
  charProperties(codepoint: number, preceding: number): number {
    const width = this.wcwidth(codepoint);
    const widthBefore = (preceding >> 1) & 3;
    if (width === 0 && preceding !== 0 && widthBefore > 0) return (widthBefore << 1) | 1;
    return width << 1;
  }
}
