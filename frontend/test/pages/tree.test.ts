import assert from "node:assert/strict";
import { test } from "node:test";
import type { Command } from "../../src/pages/api/types.ts";
import {
  isOpen,
  rowAt,
  rowsOf,
  steadyWindow,
  treeOf,
  windowAround,
} from "../../src/pages/trail/tree.ts";

const NOTHING = { programs: 0, events: 0, files_changed: 0, connections: 0, denials: 0 };

function command(number: number, parent: number | null, more: Partial<Command> = {}): Command {
  return {
    number,
    parent,
    at_us: number * 1000,
    text: `command ${number}`,
    source: "audit",
    kind: "program",
    end_us: null,
    ended: "unknown",
    origin: "typed",
    typed: null,
    arguments: null,
    arguments_left_out: 0,
    program: null,
    pid: null,
    user: null,
    exit_status: null,
    signal: null,
    error: null,
    is_background: false,
    pipeline: null,
    privilege: null,
    own: NOTHING,
    below: NOTHING,
    ...more,
  };
}

const CLOSED = { toggled: new Map<number, boolean>(), shown: new Map<number, number>() };
const texts = (rows: ReturnType<typeof rowsOf>) =>
  rows.map(({ node, hidden }) => (hidden ? `+${hidden}` : node.command.number));

test("what a login shell ran is not indented, what that ran in turn is", () => {
  const roots = treeOf([command(1, null, { kind: "shell" }), command(2, 1), command(3, 2)]);
  const rows = rowsOf(roots, CLOSED);
  assert.deepEqual(texts(rows), [1, 2, 3]);
  assert.deepEqual(
    rows.map(({ node }) => node.depth),
    [0, 0, 1],
  );
});

test("a script with many programs is closed, and shows them by fifties once it is opened", () => {
  const programs = Array.from({ length: 300 }, (_, n) => command(n + 2, 1));
  const roots = treeOf([command(1, null), ...programs]);
  assert.deepEqual(texts(rowsOf(roots, CLOSED)), [1]);
  assert.equal(roots[0]?.below, 300);
  const opened = { ...CLOSED, toggled: new Map([[1, true]]) };
  const rows = rowsOf(roots, opened);
  assert.equal(rows.length, 52);
  assert.equal(texts(rows).at(-1), "+250");
});

test("all that was typed into a shell is shown, however much it was", () => {
  const typed = Array.from({ length: 300 }, (_, n) => command(n + 2, 1, { kind: "line" }));
  const rows = rowsOf(treeOf([command(1, null, { kind: "shell" }), ...typed]), CLOSED);
  assert.equal(rows.length, 301);
});

test("a chain of a hundred thousand programs is counted without running out of stack", () => {
  const chain = Array.from({ length: 100_000 }, (_, n) => command(n + 1, n === 0 ? null : n));
  const roots = treeOf(chain);
  assert.equal(roots[0]?.below, 99_999);
  assert.equal(rowsOf(roots, CLOSED).length, 1);
});

test("a parent that is not there, or comes later, or is the command itself makes a root", () => {
  const roots = treeOf([command(1, 99), command(2, 3), command(3, 3)]);
  assert.deepEqual(
    roots.map((node) => node.command.number),
    [1, 2, 3],
  );
});

test("what somebody closed stays closed, what has nothing below it cannot be opened", () => {
  const roots = treeOf([command(1, null), command(2, 1)]);
  const [root] = roots;
  assert.ok(root);
  assert.equal(isOpen(root, CLOSED), true);
  assert.equal(isOpen(root, { ...CLOSED, toggled: new Map([[1, false]]) }), false);
  assert.equal(
    isOpen(root.children[0] ?? root, { ...CLOSED, toggled: new Map([[2, true]]) }),
    false,
  );
});

test("an instant stands in the command begun last, in whatever order the rows are", () => {
  const rows = rowsOf(
    treeOf([
      command(1, null, { at_us: 0 }),
      command(2, 1, { at_us: 5000 }),
      command(3, null, { at_us: 3000 }),
    ]),
    CLOSED,
  );
  assert.equal(rowAt(rows, -1), -1);
  assert.equal(rowAt(rows, 4000), 2);
  assert.equal(rowAt(rows, 5000), 1);
});

test("the rows drawn stay within the list", () => {
  assert.deepEqual(windowAround(5, 10, 400), [0, 10]);
  assert.deepEqual(windowAround(500, 1000, 400), [300, 700]);
  assert.deepEqual(windowAround(999, 1000, 400), [600, 1000]);
  assert.deepEqual(windowAround(0, 1000, 400), [0, 400]);
});

test("the rows drawn stay the same until the current one comes near their edge", () => {
  assert.deepEqual(steadyWindow([0, 0], 500, 1000, 400), [300, 700]);
  assert.deepEqual(steadyWindow([300, 700], 640, 1000, 400), [300, 700]);
  assert.deepEqual(steadyWindow([300, 700], 660, 1000, 400), [460, 860]);
  assert.deepEqual(steadyWindow([0, 400], 3, 1000, 400), [0, 400]);
  assert.deepEqual(steadyWindow([0, 10], 9, 12, 400), [0, 12], "a live list has grown");
  assert.deepEqual(steadyWindow([300, 700], 5, 20, 400), [0, 20], "another list");
});
