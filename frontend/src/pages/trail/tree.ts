/** The commands of a recording as a tree, and as the rows that are shown of it. */
import type { Command } from "../api/types.ts";

export interface Node {
  command: Command;
  children: Node[];
  /** How far it is indented: what a login shell runs is not. */
  depth: number;
  /** How many nodes are below it, at any depth. */
  below: number;
}

/** A row: a node, or how many of a node's children are not shown. */
export type Row = { node: Node; hidden: 0 } | { node: Node; hidden: number };

/** So many children are shown at once; the rest is asked for. */
export const CHILDREN_SHOWN = 50;
/** A node with no more below it is open until somebody closes it. */
const OPEN_BELOW = 12;

/** Build the tree. What names a parent that is not there, or one that comes later, is a root. */
export function treeOf(commands: readonly Command[]): Node[] {
  const roots: Node[] = [];
  const nodes = new Map<number, Node>();
  for (const command of commands) {
    const parent = nodes.get(command.parent ?? 0);
    const depth = parent ? parent.depth + (isLoginShell(parent) ? 0 : 1) : 0;
    const node: Node = { command, children: [], depth, below: 0 };
    (parent?.children ?? roots).push(node);
    nodes.set(command.number, node);
  }
  for (const root of roots) countBelow(root);
  return roots;
}

/** The shell that the session began with: it stands above all without making them narrower. */
export function isLoginShell({ command }: Node): boolean {
  return command.parent === null && command.kind === "shell";
}

function countBelow(root: Node): void {
  // Depth may be whatever a host says: no recursion.
  const order: Node[] = [];
  const stack = [root];
  for (let node = stack.pop(); node; node = stack.pop()) {
    order.push(node);
    stack.push(...node.children);
  }
  for (const node of order.reverse()) {
    node.below = node.children.reduce((sum, child) => sum + child.below + 1, 0);
  }
}

/** What somebody opened, closed, and asked to see more of, by the commands' numbers. */
export interface Openness {
  toggled: ReadonlyMap<number, boolean>;
  /** How many children are shown, where that is not `CHILDREN_SHOWN`. */
  shown: ReadonlyMap<number, number>;
}

export function isOpen(node: Node, { toggled }: Openness): boolean {
  if (node.children.length === 0) return false;
  const { kind, number } = node.command;
  return toggled.get(number) ?? (kind === "shell" || node.below <= OPEN_BELOW);
}

/** The rows to show, from top to bottom. */
export function rowsOf(roots: readonly Node[], openness: Openness): Row[] {
  const rows: Row[] = [];
  const stack: Row[] = [...roots].reverse().map((node) => ({ node, hidden: 0 }));
  for (let row = stack.pop(); row; row = stack.pop()) {
    rows.push(row);
    const { node } = row;
    if (row.hidden > 0 || !isOpen(node, openness)) continue;
    // What was typed into a shell is always shown: there is no other way to it.
    const isShell = node.command.kind === "shell";
    const limit = isShell
      ? node.children.length
      : (openness.shown.get(node.command.number) ?? CHILDREN_SHOWN);
    const rest = node.children.length - limit;
    if (rest > 0) stack.push({ node, hidden: rest });
    for (const child of node.children.slice(0, limit).reverse()) {
      stack.push({ node: child, hidden: 0 });
    }
  }
  return rows;
}

/** The row that an instant stands in: of those begun last the first; -1 before all. */
export function rowAt(rows: readonly Row[], atUs: number): number {
  let best = -1;
  let bestAt = Number.NEGATIVE_INFINITY;
  rows.forEach(({ node, hidden }, index) => {
    const at = node.command.at_us;
    if (hidden > 0 || at > atUs || at <= bestAt) return;
    best = index;
    bestAt = at;
  });
  return best;
}

/** Which rows to draw: `size` of them around `index`. */
export function windowAround(index: number, total: number, size: number): [number, number] {
  const from = Math.max(0, Math.min(index - Math.floor(size / 2), total - size));
  return [from, Math.min(total, from + size)];
}

/** A window is moved when what is current comes so near to its edge. */
const EDGE = 50;

/** Which rows to draw next: the same as before as long as the current row is well inside. */
export function steadyWindow(
  before: readonly [number, number],
  index: number,
  total: number,
  size: number,
): [number, number] {
  const [from, to] = before;
  const hasRoomBefore = from === 0 || index - from >= EDGE;
  const hasRoomAfter = to >= total || to - index > EDGE;
  const isFull = to <= total && to - from === Math.min(size, total);
  const isInside = index >= from && index < to;
  if (isFull && isInside && hasRoomBefore && hasRoomAfter) return [from, to];
  return windowAround(index, total, size);
}
