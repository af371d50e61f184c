import assert from "node:assert/strict";
import { test } from "node:test";
import { shown, stretches } from "../../src/pages/text.ts";

test("nothing in a hostile text stays invisible or turns its neighbours round", () => {
  assert.equal(shown("a\u001b[31mb"), "a\u241b[31mb");
  assert.equal(shown("exe\u202egpj"), "exe\ufffdgpj");
  assert.equal(shown("zero\u200bwidth\u2028"), "zero\ufffdwidth\ufffd");
  assert.equal(shown("plain ä 漢字 😀 <b>"), "plain ä 漢字 😀 <b>");
});

test("highlights count code points, as the server does", () => {
  assert.deepEqual(stretches("😀😀 passwd!", [[3, 9]]), [
    { text: "😀😀 ", isHit: false },
    { text: "passwd", isHit: true },
    { text: "!", isHit: false },
  ]);
});

test("all of a short text is kept, whatever the highlights are", () => {
  const text = "0123456789";
  for (const highlights of [
    [],
    [[0, 10]],
    [
      [2, 4],
      [4, 6],
    ],
    [
      [2, 6],
      [4, 8],
    ],
    [[8, 99]],
    [[5, 5]],
  ]) {
    const pieces = stretches(text, highlights as [number, number][]);
    assert.equal(pieces.map((piece) => piece.text).join(""), text, JSON.stringify(highlights));
  }
});

test("of a long text the part around the first hit is shown, and what is left out is marked", () => {
  const text = `${"a".repeat(5000)}needle${"b".repeat(5000)}`;
  const pieces = stretches(text, [[5000, 5006]], 400);
  assert.ok(pieces.some((piece) => piece.isHit && piece.text === "needle"));
  assert.equal(pieces[0]?.text, "…");
  assert.equal(pieces.at(-1)?.text, "…");
  assert.equal(pieces.map((piece) => piece.text).join("").length, 402);
});
