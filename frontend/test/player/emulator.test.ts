import assert from "node:assert/strict";
import { test } from "node:test";
import { Flag, visibleText } from "../../src/player/cells.ts";
import { Emulator, MAX_COLUMNS, MAX_ROWS } from "../../src/player/emulator.ts";
import { typedText } from "../../src/player/marks.ts";
import { coloursOf, cssColour } from "../../src/player/palette.ts";

async function emulated(output: string, columns = 20, rows = 4): Promise<Emulator> {
  const emulator = new Emulator(columns, rows);
  await emulator.feed([[0, "o", output]]);
  return emulator;
}

test("wide characters take two cells, combining ones none, as the server counts", async () => {
  const emulator = await emulated("漢a\u0301🥲|👨‍👩‍👧|");
  const [row] = emulator.read();
  const cells = row?.runs.map((run) => [run.text, run.cells]) ?? [];
  assert.deepEqual(cells.slice(0, 4), [
    ["漢", 2],
    ["a\u0301", 1],
    ["🥲", 2],
    ["|", 1],
  ]);
});

test("runs carry colours and attributes", async () => {
  const emulator = await emulated("\x1b[1;31mred\x1b[0;7minv\x1b[38;2;1;2;3mrgb\x1b[0m");
  const runs = emulator.read()[0]?.runs ?? [];
  assert.deepEqual(
    runs.map((run) => [run.text, run.fg, run.flags & ~Flag.cursor]),
    [
      ["red", 1, Flag.bold],
      ["inv", -1, Flag.inverse],
      ["rgb", 0x1010203, Flag.inverse],
      [" ", -1, 0],
    ],
  );
});

test("the cursor is shown, hidden and shown again after a reset", async () => {
  const hasCursor = (emulator: Emulator) =>
    emulator.read().some((row) => row.runs.some((run) => run.flags & Flag.cursor));
  assert.equal(hasCursor(await emulated("a")), true);
  assert.equal(hasCursor(await emulated("a\x1b[?25l")), false);
  assert.equal(hasCursor(await emulated("a\x1b[?25l\x1bc")), true);
});

test("clean text joins wrapped rows and drops padding", async () => {
  const emulator = await emulated(`${"x".repeat(25)}\r\nshort   \r\n`);
  assert.equal(emulator.text(), `${"x".repeat(25)}\nshort`);
});

test("resizes are followed, whatever size a recording claims", async () => {
  const emulator = new Emulator(80, 24);
  await emulator.feed([
    [0, "r", "100x30"],
    [0, "o", "x"],
  ]);
  assert.deepEqual([emulator.columns, emulator.rows], [100, 30]);
  await emulator.feed([[1, "r", "99999x99999"]]);
  assert.deepEqual([emulator.columns, emulator.rows], [MAX_COLUMNS, MAX_ROWS]);
  for (const nonsense of ["", "x", "0x0", "-1x5", "1e9x1e9", "80×24"]) {
    await emulator.feed([[2, "r", nonsense]]);
    assert.ok(emulator.columns >= 1 && emulator.rows >= 1);
  }
});

test("a million combining characters in one cell are cut for drawing", async () => {
  const emulator = await emulated(`a${"\u0301".repeat(100_000)}b`);
  assert.ok((emulator.read()[0]?.runs[0]?.text.length ?? 0) <= 64);
});

test("characters that reorder or hide text are not drawn", async () => {
  assert.equal(visibleText("user\u202etxt.exe\u2066\u200b\u{e0041}"), "usertxt.exe");
  const emulator = await emulated("ab\u202ecd\u2069e");
  assert.equal(emulator.text(), "abcde");
});

test("a closed emulator ends what is being fed", async () => {
  const emulator = new Emulator(80, 24);
  const fed = emulator.feed([[0, "o", "x".repeat(5_000_000)]]);
  emulator.close();
  await fed;
});

test("colours become CSS: the theme's sixteen, the cube, the greys, RGB", () => {
  assert.equal(cssColour(-1), null);
  assert.equal(cssColour(9), "var(--steno-color-9)");
  assert.equal(cssColour(196), "rgb(255,0,0)");
  assert.equal(cssColour(16), "rgb(0,0,0)");
  assert.equal(cssColour(255), "rgb(238,238,238)");
  assert.equal(cssColour(0x10000ff), "#0000ff");
  assert.deepEqual(coloursOf({ fg: 1, bg: -1, flags: Flag.inverse }), {
    text: "var(--steno-background)",
    background: "var(--steno-color-1)",
  });
});

test("what was typed reads as keys, and nothing in it acts", () => {
  assert.equal(typedText("ls\r"), "ls⏎");
  assert.equal(typedText("\u0003\u001b[A\t\u007f"), "^C↑⇥⌫");
  assert.equal(typedText("\u001b]52;c;x\u0007"), "⎋]52;c;x^G");
});
