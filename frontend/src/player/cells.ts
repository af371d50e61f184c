/** A terminal line as runs of cells that look alike: what the screen draws. */
import type { IBufferCell, IBufferLine } from "@xterm/headless";

/** Bits of `Style.flags`. */
export const Flag = {
  bold: 1,
  dim: 2,
  italic: 4,
  underline: 8,
  strike: 16,
  overline: 32,
  inverse: 64,
  invisible: 128,
  cursor: 256,
} as const;

/** A colour: the terminal's default, a palette number 0 to 255, or RGB + `rgb`. */
export const Colour = { none: -1, rgb: 0x1000000 } as const;

export interface Style {
  fg: number;
  bg: number;
  flags: number;
}

export interface Run extends Style {
  text: string;
  cells: number;
}

export interface Row {
  runs: Run[];
  /** Goes on from the row above, which was full. */
  isWrapped: boolean;
}

/** One cell may carry any number of combining characters; drawing stops here. */
const MAX_CELL_LENGTH = 32;

/** Characters that reorder or hide the text around them; joiners, which scripts need, stay. */
const REORDERING =
  /[\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff]|\udb40[\udc00-\udfff]/g;

/** Text that the page's own font surely draws one cell wide, so that it may stand in one run. */
const PLAIN = /^[\x20-\x7e\u00a1-\u00ac\u00ae-\u00ff]$/;

/** Text of a recording, made safe to look at: nothing that reorders or hides. */
export function visibleText(text: string): string {
  return text.replace(REORDERING, "");
}

/** The same on one line, control characters as their pictures: ␛ for ESC. */
export function visibleControls(text: string): string {
  return visibleText(text).replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, (character) => {
    const code = character.charCodeAt(0);
    if (code < 0x20) return String.fromCharCode(0x2400 + code);
    return code === 0x7f ? "\u2421" : "\ufffd";
  });
}

function flagsOf(cell: IBufferCell): number {
  return (
    (cell.isBold() ? Flag.bold : 0) |
    (cell.isDim() ? Flag.dim : 0) |
    (cell.isItalic() ? Flag.italic : 0) |
    (cell.isUnderline() ? Flag.underline : 0) |
    (cell.isStrikethrough() ? Flag.strike : 0) |
    (cell.isOverline() ? Flag.overline : 0) |
    (cell.isInverse() ? Flag.inverse : 0) |
    (cell.isInvisible() ? Flag.invisible : 0)
  );
}

function foreground(cell: IBufferCell): number {
  if (cell.isFgRGB()) return Colour.rgb | cell.getFgColor();
  return cell.isFgPalette() ? cell.getFgColor() : Colour.none;
}

function background(cell: IBufferCell): number {
  if (cell.isBgRGB()) return Colour.rgb | cell.getBgColor();
  return cell.isBgPalette() ? cell.getBgColor() : Colour.none;
}

function textOf(cell: IBufferCell): string {
  const chars = cell.getChars();
  if (chars.length <= 1) return chars === "" ? " " : chars;
  return visibleText(chars.slice(0, MAX_CELL_LENGTH)) || " ";
}

const BLANK_UNLESS = Flag.underline | Flag.strike | Flag.overline | Flag.inverse | Flag.cursor;

function isBlank(run: Run): boolean {
  return run.bg === Colour.none && !(run.flags & BLANK_UNLESS) && run.text.trim() === "";
}

/** A character of a fallback font may be wider or narrower than its cells: it stands alone. */
function mayJoin(last: Run | undefined, isPlain: boolean, run: Run): last is Run {
  return (
    last !== undefined &&
    isPlain &&
    last.fg === run.fg &&
    last.bg === run.bg &&
    last.flags === run.flags &&
    last.text.length === last.cells &&
    PLAIN.test(last.text.slice(-1))
  );
}

/**
 * Read a line as runs, without the blank rest.
 *
 * @param cursorAt The cursor's column, -1 when it is elsewhere or hidden.
 * @param scratch A cell to read into, so that none is made for each column.
 */
export function readRow(
  line: IBufferLine,
  columns: number,
  cursorAt: number,
  scratch: IBufferCell,
): Row {
  const runs: Run[] = [];
  for (let x = 0; x < columns; x++) {
    const cell = line.getCell(x, scratch);
    if (!cell || cell.getWidth() === 0) continue;
    const text = textOf(cell);
    const cells = cell.getWidth();
    const flags = flagsOf(cell) | (cursorAt >= x && cursorAt < x + cells ? Flag.cursor : 0);
    const run: Run = { text, cells, fg: foreground(cell), bg: background(cell), flags };
    const last = runs.at(-1);
    if (mayJoin(last, cells === 1 && PLAIN.test(text), run)) {
      last.text += text;
      last.cells++;
    } else runs.push(run);
  }
  while (runs.length > 0 && isBlank(runs[runs.length - 1] as Run)) runs.pop();
  return { runs, isWrapped: line.isWrapped };
}

/** Tells whether two rows look alike: then the drawn one may stay. */
export function keyOf(row: Row): string {
  return row.runs
    .map((run) => `${run.fg},${run.bg},${run.flags},${run.cells},${run.text}`)
    .join("\u0000");
}

/** Rows as clean text: wrapped ones joined, no trailing blanks, no blank lines at the end. */
export function textOfRows(rows: readonly { text: string; isWrapped: boolean }[]): string {
  const lines: string[] = [];
  for (const row of rows) {
    if (row.isWrapped && lines.length > 0) lines.push((lines.pop() ?? "") + row.text);
    else lines.push(row.text);
  }
  return lines
    .map((line) => line.trimEnd())
    .join("\n")
    .trimEnd();
}
