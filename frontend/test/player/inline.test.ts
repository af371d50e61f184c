import assert from "node:assert/strict";
import { test } from "node:test";
import { findAll, termsOf } from "../../src/player/find.ts";
import { InlineSource } from "../../src/player/inline.ts";
import { actionOf, type KeyPress, SHORTCUTS } from "../../src/player/keys.ts";
import { commandMarks, damageMark, eventMarks, noteMark } from "../../src/player/marks.ts";
import type { RecordingData } from "../../src/player/public.ts";
import { badgeOf } from "../../src/player/status.ts";

const DATA: RecordingData = {
  index: {
    version: 1,
    duration: 9,
    term: { cols: 40, rows: 5 },
    segments: [{ start: 0 }],
    markers: [[1, "ls\u202e"]],
  },
  segments: [
    {
      snapshot: { cols: 40, rows: 5, init: "" },
      events: [
        [1, "o", "$ ls\r\n"],
        [3.5, "o", "\x1b[31mFehler\x1b[0m in Datei\r\n"],
        [7, "o", "Ende\r\n"],
      ],
    },
  ],
};

test("a page without text is searched by what stood on the screen, escapes resolved", async () => {
  const { hits, isComplete } = await new InlineSource(DATA).search("fehler in");
  assert.equal(isComplete, true);
  assert.deepEqual(hits, [{ at: 3.5, text: "Fehler in Datei", highlights: [[0, 9]] }]);
});

test("a page with text is searched by it", async () => {
  const text = [{ number: 0, at_us: 2_500_000, text: "hello world" }];
  const { hits } = await new InlineSource({ ...DATA, text }).search("world");
  assert.deepEqual(
    hits.map((hit) => hit.at),
    [2.5],
  );
});

test("activity comes from the events when the page brings none", async () => {
  const { activity } = await new InlineSource(DATA).details();
  assert.deepEqual(
    activity.map(([second]) => second),
    [1, 3, 7],
  );
});

test("what is no recording is refused with a reason", () => {
  const bad = (data: unknown) => () => new InlineSource(data as RecordingData);
  assert.throws(bad({}), /version 1/);
  assert.throws(bad({ ...DATA, segments: [] }), /not those of its index/);
  assert.throws(bad({ ...DATA, segments: [{}] }), /no snapshot/);
});

test("finding ignores case unless the query has some", () => {
  assert.deepEqual(findAll("Abc abc", "abc"), [
    [0, 3],
    [4, 7],
  ]);
  assert.deepEqual(findAll("Abc abc", "Abc"), [[0, 3]]);
  assert.deepEqual(findAll("aaaa", "aa"), [
    [0, 2],
    [2, 4],
  ]);
  assert.deepEqual(findAll("x", ""), []);
});

test("highlights count characters, not UTF-16 units", () => {
  assert.deepEqual(termsOf([{ at: 0, text: "🥲 Fehler", highlights: [[2, 8]] }]), ["fehler"]);
});

test("notes and damages become marks that say what happened", () => {
  const drop = noteMark({ at_us: 2_000_000, kind: "drop", facts: { bytes: 10 } });
  assert.deepEqual(drop, {
    at: 2,
    label: "output dropped by the rate limit (bytes 10)",
    kind: "note",
  });
  assert.equal(noteMark({ at_us: 0, kind: "toString", facts: {} }).label, "toString");
  const damage = damageMark({ line: 7, offset_bytes: 1, length_bytes: 2, reason: "no JSON" });
  assert.match(damage.label, /line 7.*no JSON/);
  assert.equal(commandMarks(DATA.index)[0]?.label, "ls");
  const live = eventMarks([
    [1, "o", "x"],
    [2, "m", "gap"],
    [3, "m", "damage: line 5: torn"],
  ]);
  assert.deepEqual(
    live.map((mark) => [mark.at, mark.kind, mark.label]),
    [
      [2, "note", "messages are missing"],
      [3, "damage", "damage: line 5: torn"],
    ],
  );
});

test("the badge says what the chain proves and no more", () => {
  assert.equal(badgeOf({ state: "complete", lines: 9 })?.text, "verified: complete");
  assert.equal(badgeOf({ state: "so_far", lines: 9 })?.text, "verified up to here (line 9)");
  const broken = badgeOf({ state: "broken", lines: 4, broken_line: 5, reason: "prev differs" });
  assert.equal(broken?.text, "BROKEN at line 5: prev differs");
  assert.equal(broken?.tone, "bad");
  assert.equal(badgeOf({ state: "unchained", lines: 9 })?.text, "not chained");
  assert.equal(badgeOf(null), null);
});

const press = (key: string, more: Partial<KeyPress> = {}): KeyPress => ({
  key,
  shiftKey: false,
  ctrlKey: false,
  altKey: false,
  metaKey: false,
  ...more,
});

test("every key of the help does something", () => {
  const names: Record<string, string> = {
    Space: " ",
    "←": "ArrowLeft",
    "→": "ArrowRight",
    Esc: "Escape",
  };
  for (const { keys } of SHORTCUTS) {
    for (const shown of keys.filter((key) => key !== "…")) {
      const isShift = shown.startsWith("Shift+");
      const bare = isShift ? shown.slice(6) : shown;
      assert.ok(actionOf(press(names[bare] ?? bare, { shiftKey: isShift })), shown);
    }
  }
});

test("the browser's own keys are left alone", () => {
  assert.equal(actionOf(press("f", { ctrlKey: true })), null);
  assert.equal(actionOf(press("ArrowLeft", { altKey: true })), null);
  assert.equal(actionOf(press("Tab")), null);
  assert.equal(actionOf(press("constructor")), null);
});
