import assert from "node:assert/strict";
import { test } from "node:test";
import {
  barsOf,
  barsPath,
  fractionOf,
  groupMarks,
  type Mark,
  neighbour,
  ticksOf,
} from "../../src/player/timeline.ts";

const mark = (at: number): Mark => ({ at, label: `at ${at}`, kind: "command" });

test("places stay within the timeline, whatever the instant", () => {
  assert.equal(fractionOf(5, 10), 0.5);
  assert.equal(fractionOf(-1, 10), 0);
  assert.equal(fractionOf(11, 10), 1);
  assert.equal(fractionOf(3, 0), 0);
});

test("a typed command stays visible beside a megabyte of output", () => {
  const bars = barsOf(
    [
      [0, 20],
      [50, 1_000_000],
      [99, 20],
      [100, 20],
    ],
    100,
    10,
  );
  assert.equal(bars.length, 10);
  assert.equal(bars[5], 1);
  assert.ok((bars[0] ?? 0) > 0.15);
  assert.equal(bars[3], 0);
  assert.ok((bars[9] ?? 0) > (bars[0] ?? 0), "the last instant belongs to the last bar");
  assert.equal(barsPath([0, 1, 0]), "M1 1V0.000h1V1z");
});

test("marks that would touch are drawn as one, and none is lost", () => {
  const groups = groupMarks([mark(90), mark(10), mark(10.5), mark(50)], 100, 0.01);
  assert.deepEqual(
    groups.map((group) => group.marks.map((each) => each.at)),
    [[10, 10.5], [50], [90]],
  );
});

test("ticks are round and not too many, from a second to ten hours", () => {
  assert.deepEqual(
    ticksOf(36_000, 10),
    [0, 3600, 7200, 10800, 14400, 18000, 21600, 25200, 28800, 32400, 36000],
  );
  for (const duration of [0.3, 1, 59, 61, 4000, 90_000, 1e7]) {
    assert.ok(ticksOf(duration, 8).length <= 9, String(duration));
  }
});

test("going from mark to mark moves on each time", () => {
  const marks = [mark(1), mark(5), mark(5.2), mark(9)];
  assert.equal(neighbour(marks, 5, 1)?.at, 5.2);
  assert.equal(neighbour(marks, 5.2, -1)?.at, 5);
  assert.equal(neighbour(marks, 9.2, -1, 0.5)?.at, 5.2, "while playing, a mark just passed");
  assert.equal(neighbour(marks, 9, 1), null);
  assert.equal(neighbour(marks, 1, -1), null);
});
