import assert from "node:assert/strict";
import { test } from "node:test";
import { formatTime, parseTime } from "../../src/player/format.ts";

test("times read as a clock, hours only when there are some", () => {
  assert.equal(formatTime(0), "0:00");
  assert.equal(formatTime(62.96), "1:02");
  assert.equal(formatTime(62.96, true), "1:02.9");
  assert.equal(formatTime(36000), "10:00:00");
  assert.equal(formatTime(-3), "0:00");
});

test("what people type as a time is understood, and nothing else is", () => {
  assert.equal(parseTime("1:02:03.5"), 3723.5);
  assert.equal(parseTime("2:03"), 123);
  assert.equal(parseTime(" 75 "), 75);
  assert.equal(parseTime("1h2m3s"), 3723);
  assert.equal(parseTime("90m"), 5400);
  for (const nonsense of ["", "x", "1:2:3:4", "-5", "1:75", "NaN"]) {
    assert.equal(parseTime(nonsense), null, nonsense);
  }
});

test("a formatted time is read back as the same second", () => {
  for (let second = 0; second < 40000; second += 371) {
    assert.equal(parseTime(formatTime(second)), second);
  }
});
