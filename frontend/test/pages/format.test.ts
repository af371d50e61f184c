import assert from "node:assert/strict";
import { test } from "node:test";
import {
  clock,
  counted,
  duration,
  exactDuration,
  exactSize,
  localInstant,
  localInstantWithOffset,
  machineInstant,
  size,
  utcInstant,
} from "../../src/pages/format.ts";

test("sizes are short for people and exact to the byte", () => {
  assert.deepEqual(
    [0, 1, 999, 1000, 1234, 9949, 9950, 999_499, 999_500, 1_234_567, 34e9].map(size),
    [
      "0 bytes",
      "1 byte",
      "999 bytes",
      "1.0 kB",
      "1.2 kB",
      "9.9 kB",
      "10 kB",
      "999 kB",
      "1.0 MB",
      "1.2 MB",
      "34 GB",
    ],
  );
  assert.equal(exactSize(1_234_567), "1,234,567 bytes");
});

test("durations say what matters at their length, and never 60 of a unit", () => {
  const seconds = [0, 0.04, 9.94, 9.95, 59.4, 59.6, 185, 3599.6, 3723, 86_399.7, 183_600];
  assert.deepEqual(
    seconds.map((value) => duration(value * 1e6)),
    [
      "0.0 s",
      "0.0 s",
      "9.9 s",
      "10 s",
      "59 s",
      "1 min 00 s",
      "3 min 05 s",
      "1 h 00 min",
      "1 h 02 min",
      "1 d 00 h",
      "2 d 03 h",
    ],
  );
});

test("an exact duration keeps every microsecond", () => {
  assert.equal(exactDuration(3_723_000_007), "3,723.000007 s");
  assert.equal(exactDuration(1), "0.000001 s");
});

test("a place in a recording is shown as on the player's clock", () => {
  assert.deepEqual([0, 7_499_999, 723_000_000, 3_723_960_000].map(clock), [
    "0:00.0",
    "0:07.4",
    "12:03.0",
    "1:02:03.9",
  ]);
});

test("UTC is exact to the microsecond, local time is the clock on the wall", () => {
  const unixUs = 1_795_167_202_123_456;
  assert.equal(utcInstant(unixUs), "2026-11-20 09:33:22.123456 UTC");
  assert.equal(utcInstant(1_795_167_202_000_007), "2026-11-20 09:33:22.000007 UTC");
  const date = new Date(unixUs / 1000);
  assert.ok(localInstant(unixUs).startsWith(`${date.getFullYear()}-`));
  assert.ok(localInstant(unixUs).includes(`${String(date.getHours()).padStart(2, "0")}:`));
});

test("an instant that no calendar knows is shown all the same", () => {
  for (const absurd of [9e18, -9e18]) {
    for (const words of [localInstant, localInstantWithOffset, utcInstant]) {
      assert.equal(words(absurd), `no date (${absurd} µs)`);
    }
    assert.equal(machineInstant(absurd), "");
  }
  assert.equal(utcInstant(253_402_300_799_000_000), "9999-12-31 23:59:59.000000 UTC");
});

test("one of a thing is one thing", () => {
  assert.equal(counted(1, "line"), "1 line");
  assert.equal(counted(1200, "line"), "1,200 lines");
  assert.equal(counted(0, "entry", "entries"), "0 entries");
});
