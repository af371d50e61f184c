/**
 * The terminal: xterm.js without its own screen, keyboard and clipboard.
 *
 * A recording is hostile input. Nothing that the terminal would answer, open, copy or rename
 * leaves this class: no handler is attached to its data, title, bell or link events, and the
 * headless build has neither clipboard nor window manipulation.
 */
import { Terminal } from "@xterm/headless";
import { type Row, readRow, textOfRows } from "./cells.ts";
import { guard } from "./guard.ts";
import type { Segment, SegmentEvent } from "./public.ts";
import { CellWidths } from "./unicode.ts";

/** A recording may claim any size; more cells than these would only cost memory. */
export const MAX_COLUMNS = 1000;
export const MAX_ROWS = 500;

/** Written at once; between two writes a newer seek may take over. */
const CHUNK_LENGTH = 262_144;

/** Work that may pass before the page gets a turn. */
const BREATH_MS = 20;

const WIDTHS = new CellWidths();

function clamp(value: number, most: number): number {
  return Number.isFinite(value) ? Math.min(most, Math.max(1, Math.floor(value))) : 1;
}

/** "120x40" as [columns, rows]; null when it is no size. */
export function parseSize(text: string): [columns: number, rows: number] | null {
  const match = /^(\d{1,5})x(\d{1,5})$/.exec(text);
  return match ? [Number(match[1]), Number(match[2])] : null;
}

export class Emulator {
  private readonly terminal: Terminal;
  private isCursorShown = true;
  private isClosed = false;
  private breathedAt = performance.now();
  private endWrite: (() => void) | null = null;

  constructor(columns: number, rows: number) {
    this.terminal = new Terminal({
      cols: clamp(columns, MAX_COLUMNS),
      rows: clamp(rows, MAX_ROWS),
      scrollback: 0,
      allowProposedApi: true,
      logLevel: "off",
      // Nothing is ever answered.
      disableStdin: true,
    });
    guard(this.terminal);
    this.terminal.unicode.register(WIDTHS);
    this.terminal.unicode.activeVersion = WIDTHS.version;
    this.watchCursor();
  }

  /** A terminal that shows the segment's first instant. */
  static async from(snapshot: Segment["snapshot"]): Promise<Emulator> {
    const emulator = new Emulator(snapshot.cols, snapshot.rows);
    await emulator.write(snapshot.init);
    return emulator;
  }

  get columns(): number {
    return this.terminal.cols;
  }

  get rows(): number {
    return this.terminal.rows;
  }

  /** Play events; ends early, leaving the rest out, once the emulator is closed. */
  async feed(events: readonly SegmentEvent[]): Promise<void> {
    let output = "";
    for (const [, code, data] of events) {
      if (code === "o") output += data;
      else if (code === "r") {
        await this.write(output);
        output = "";
        this.resize(data);
        await this.breathe();
      }
    }
    await this.write(output);
  }

  /** The screen, row by row, with the cursor in it when it is shown. */
  read(): Row[] {
    const buffer = this.terminal.buffer.active;
    const scratch = buffer.getNullCell();
    const rows: Row[] = [];
    for (let y = 0; y < this.terminal.rows; y++) {
      const line = buffer.getLine(buffer.viewportY + y);
      if (!line) continue;
      const hasCursor = this.isCursorShown && buffer.cursorY === y;
      const cursorAt = hasCursor ? Math.min(buffer.cursorX, this.terminal.cols - 1) : -1;
      rows.push(readRow(line, this.terminal.cols, cursorAt, scratch));
    }
    return rows;
  }

  /** The screen as clean text. */
  text(): string {
    return textOfRows(
      this.read().map((row) => ({
        text: row.runs.map((run) => run.text).join(""),
        isWrapped: row.isWrapped,
      })),
    );
  }

  /** Drop the terminal; what is being fed ends at the next chunk. */
  close(): void {
    this.isClosed = true;
    this.endWrite?.();
    this.terminal.dispose();
  }

  private async write(text: string): Promise<void> {
    for (let at = 0; at < text.length && !this.isClosed; at += CHUNK_LENGTH) {
      const chunk = text.slice(at, at + CHUNK_LENGTH);
      await new Promise<void>((resolve) => {
        this.endWrite = resolve;
        this.terminal.write(chunk, resolve);
      });
    }
  }

  /** A recording may hold any number of resizes: let the page live meanwhile. */
  private async breathe(): Promise<void> {
    if (performance.now() - this.breathedAt < BREATH_MS) return;
    await new Promise((resolve) => setTimeout(resolve));
    this.breathedAt = performance.now();
  }

  private resize(size: string): void {
    const parsed = parseSize(size);
    if (!parsed || this.isClosed) return;
    this.terminal.resize(clamp(parsed[0], MAX_COLUMNS), clamp(parsed[1], MAX_ROWS));
  }

  /** Follow DECTCEM, which the public interface does not tell. */
  private watchCursor(): void {
    const { parser } = this.terminal;
    for (const final of ["h", "l"]) {
      parser.registerCsiHandler({ prefix: "?", final }, (params) => {
        if (params.includes(25)) this.isCursorShown = final === "h";
        return false;
      });
    }
    const show = (): boolean => {
      this.isCursorShown = true;
      return false;
    };
    parser.registerEscHandler({ final: "c" }, show);
    parser.registerCsiHandler({ intermediates: "!", final: "p" }, show);
  }
}
