/** Marks words in drawn rows, without touching their elements. */
import { findAll } from "./find.ts";

const NAME = "steno-hit";

/** The page's registry is shared by all players: each adds and removes its own ranges. */
function registered(): Highlight | null {
  if (!("highlights" in CSS)) return null;
  let highlight = CSS.highlights.get(NAME);
  if (!highlight) {
    highlight = new Highlight();
    CSS.highlights.set(NAME, highlight);
  }
  return highlight;
}

function textNodes(element: HTMLElement): { node: Text; start: number }[] {
  const nodes: { node: Text; start: number }[] = [];
  let start = 0;
  for (const child of element.children) {
    const node = child.firstChild;
    if (node instanceof Text) {
      nodes.push({ node, start });
      start += node.data.length;
    }
  }
  return nodes;
}

function rangeOf(nodes: { node: Text; start: number }[], from: number, to: number): Range | null {
  const first = nodes.findLast((each) => each.start <= from);
  const last = nodes.findLast((each) => each.start < to);
  if (!first || !last) return null;
  const range = document.createRange();
  range.setStart(first.node, from - first.start);
  range.setEnd(last.node, to - last.start);
  return range;
}

export class Highlighter {
  terms: readonly string[] = [];
  private ranges: Range[] = [];

  update(rows: readonly HTMLElement[]): void {
    this.clear();
    const highlight = registered();
    if (!highlight || this.terms.length === 0) return;
    for (const row of rows) {
      const found = this.terms.flatMap((term) => findAll(row.textContent ?? "", term));
      if (found.length === 0) continue;
      const nodes = textNodes(row);
      for (const [from, to] of found) {
        const range = rangeOf(nodes, from, to);
        if (range) this.ranges.push(range);
      }
    }
    for (const range of this.ranges) highlight.add(range);
  }

  clear(): void {
    const highlight = registered();
    for (const range of this.ranges) highlight?.delete(range);
    this.ranges = [];
  }
}
