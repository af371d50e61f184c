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
/** A tall terminal is not made smaller than this; the page scrolls instead. */
const MIN_FIT = 0.7;
/** The terminal's part of the window's height; the rest is for the controls. */
const SHARE_OF_WINDOW = 0.7;

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
  private readonly onResize = (): void => this.fit();
  private roomWidth = 0;
  private readonly observer = new ResizeObserver(([entry]) => {
    const width = entry?.contentRect.width ?? 0;
    if (width === this.roomWidth && !this.element.closest(".is-full")) return;
    this.roomWidth = width;
    this.fit();
  });

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
    window.addEventListener("resize", this.onResize);
    this.observer.observe(this.element);
  }

  disconnect(): void {
    window.removeEventListener("resize", this.onResize);
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
    const { layer, sizer } = this;
    layer.style.transform = "";
    layer.style.fontSize = "";
    if (layer.offsetWidth === 0) return;
    const scale = this.isFitting ? this.fittingScale() : 1;
    if (scale !== 1) layer.style.fontSize = `calc(var(--steno-font-size) * ${scale.toFixed(4)})`;
    this.shrinkFurther();
    const box = layer.getBoundingClientRect();
    sizer.style.width = `${Math.ceil(box.width)}px`;
    sizer.style.height = `${Math.ceil(box.height)}px`;
  }

  /** How much larger or smaller the text must be: whole in width, and the controls in view. */
  private fittingScale(): number {
    const room = this.room();
    const isFull = this.element.closest(".is-full") !== null;
    const height = isFull ? room.height : window.innerHeight * SHARE_OF_WINDOW;
    const byWidth = (room.width - 1) / this.layer.offsetWidth;
    const byHeight = height / this.layer.offsetHeight;
    return Math.min(byWidth, Math.max(byHeight, isFull ? 0 : MIN_FIT), isFull ? 4 : MAX_FIT);
  }

  /** A browser with a smallest font size leaves the text too large: then it is scaled as a whole. */
  private shrinkFurther(): void {
    const room = this.room().width;
    const width = this.layer.offsetWidth;
    if (!this.isFitting || width <= room * 1.02) return;
    this.layer.style.transform = `scale(${(room / width).toFixed(4)})`;
  }

  /** The room inside the padding, scroll bars left out: they go once the text fits. */
  private room(): { width: number; height: number } {
    const box = this.element.getBoundingClientRect();
    const style = getComputedStyle(this.element);
    const padding = (first: string, second: string) =>
      Number.parseFloat(first) + Number.parseFloat(second);
    return {
      width: box.width - padding(style.paddingLeft, style.paddingRight),
      height: box.height - padding(style.paddingTop, style.paddingBottom),
    };
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
