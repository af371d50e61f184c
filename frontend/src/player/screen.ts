/**
 * Draws the terminal's rows as text in elements: selectable, findable, and read by screen readers.
 *
 * Colours and widths are set through the CSSOM, which `style-src 'self'` allows; xterm.js's own
 * renderer writes style elements and attributes, which it forbids.
 */
import { Flag, keyOf, type Row, type Run, textOfRows } from "./cells.ts";
import { make } from "./dom.ts";
import { Highlighter } from "./highlight.ts";
import { coloursOf } from "./palette.ts";

const CLASSES: readonly [flag: number, name: string][] = [
  [Flag.bold, "bold"],
  [Flag.italic, "italic"],
  [Flag.underline, "underline"],
  [Flag.strike, "strike"],
  [Flag.overline, "overline"],
  [Flag.invisible, "invisible"],
  [Flag.cursor, "cursor"],
];

/** Fitting never enlarges further than this. */
const MAX_FIT = 1.6;

function drawRun(run: Run): HTMLSpanElement {
  const span = make("span", {}, run.text);
  const names = CLASSES.filter(([flag]) => run.flags & flag).map(([, name]) => name);
  if (names.length > 0) span.className = names.join(" ");
  const { text, background } = coloursOf(run);
  if (text) span.style.color = text;
  if (background) span.style.backgroundColor = background;
  span.style.width = `${run.cells}ch`;
  return span;
}

export class ScreenView {
  /** Scrolls when the terminal is larger. */
  readonly element: HTMLElement;
  private readonly sizer = make("div", { class: "sizer" });
  private readonly layer = make("div", { class: "layer" });
  private readonly rows: { element: HTMLElement; key: string; row: Row }[] = [];
  private readonly highlighter = new Highlighter();
  private columns = 80;
  private isFitting = true;
  private readonly observer = new ResizeObserver(() => this.fit());

  constructor() {
    this.element = make(
      "div",
      { class: "screen", tabindex: "0", role: "region", "aria-label": "Terminal" },
      this.sizer,
    );
    this.sizer.append(this.layer);
    this.element.addEventListener("copy", (event) => this.copySelection(event));
  }

  connect(): void {
    this.observer.observe(this.element);
    // Fonts may come late; then the cells' size changes.
    this.observer.observe(this.layer);
  }

  disconnect(): void {
    this.observer.disconnect();
    this.highlighter.clear();
  }

  get zoom(): "fit" | "100" {
    return this.isFitting ? "fit" : "100";
  }

  set zoom(value: "fit" | "100") {
    this.isFitting = value === "fit";
    this.fit();
  }

  /** Show `rows`; only those that look different are touched. */
  draw(rows: readonly Row[], columns: number): void {
    if (columns !== this.columns || rows.length !== this.rows.length) {
      this.columns = columns;
      this.layer.style.width = `${columns}ch`;
      this.setRowCount(rows.length);
      this.fit();
    }
    rows.forEach((row, y) => {
      const shown = this.rows[y];
      const key = keyOf(row);
      if (!shown) return;
      shown.row = row;
      if (shown.key === key) return;
      shown.key = key;
      shown.element.replaceChildren(...row.runs.map(drawRun));
    });
    this.highlighter.update(this.rows.map((each) => each.element));
  }

  /** Mark where these words stand on the screen. */
  highlight(terms: readonly string[]): void {
    this.highlighter.terms = terms;
    this.highlighter.update(this.rows.map((each) => each.element));
  }

  private setRowCount(count: number): void {
    while (this.rows.length > count) this.rows.pop()?.element.remove();
    while (this.rows.length < count) {
      const element = make("div", { class: "row" });
      this.rows.push({ element, key: "", row: { runs: [], isWrapped: false } });
      this.layer.append(element);
    }
  }

  private fit(): void {
    const width = this.layer.offsetWidth;
    const height = this.layer.offsetHeight;
    if (width === 0 || height === 0) return;
    const room = this.element.getBoundingClientRect();
    const isFull = this.element.closest(".is-full") !== null;
    const byHeight = isFull ? room.height / height : MAX_FIT;
    const fitting = Math.min(room.width / width, byHeight, isFull ? 4 : MAX_FIT);
    const scale = this.isFitting ? fitting : 1;
    this.layer.style.transform = `scale(${scale})`;
    this.sizer.style.width = `${Math.floor(width * scale)}px`;
    this.sizer.style.height = `${Math.ceil(height * scale)}px`;
  }

  /** What is selected is copied as clean text: no padding, wrapped rows in one line. */
  private copySelection(event: ClipboardEvent): void {
    const root = this.element.getRootNode() as ShadowRoot & { getSelection?(): Selection | null };
    const selection = root.getSelection?.() ?? document.getSelection();
    if (!selection || selection.isCollapsed || selection.rangeCount === 0) return;
    const range = selection.getRangeAt(0);
    const selected = this.rows
      .filter((each) => range.intersectsNode(each.element))
      .map((each) => ({ text: within(range, each.element), isWrapped: each.row.isWrapped }));
    if (selected.length === 0) return;
    event.clipboardData?.setData("text/plain", textOfRows(selected));
    event.preventDefault();
  }
}

/** The part of `range` that lies in `element`, as text. */
function within(range: Range, element: HTMLElement): string {
  const part = document.createRange();
  part.selectNodeContents(element);
  if (range.compareBoundaryPoints(Range.START_TO_START, part) > 0) {
    part.setStart(range.startContainer, range.startOffset);
  }
  if (range.compareBoundaryPoints(Range.END_TO_END, part) < 0) {
    part.setEnd(range.endContainer, range.endOffset);
  }
  return part.toString();
}
