import assert from "node:assert/strict";
import { test } from "node:test";
import { advance, clampSpeed, formatSpeed, nextSpeed, SPEEDS } from "../../src/player/clock.ts";

const NO_LIMIT = Number.POSITIVE_INFINITY;

test("time passes up to the next event, and what is left over is told", () => {
  assert.deepEqual(advance(10, 3, 10, 20, NO_LIMIT), { time: 13, left: 0 });
  assert.deepEqual(advance(10, 12, 10, 20, NO_LIMIT), { time: 20, left: 2 });
});

test("a long pause is played for the limit and then skipped", () => {
  assert.deepEqual(advance(10, 1, 10, 100, 2), { time: 11, left: 0 });
  assert.deepEqual(advance(11, 1, 10, 100, 2), { time: 100, left: 0 });
  assert.deepEqual(advance(11, 3, 10, 100, 2), { time: 100, left: 2 });
});

test("a pause within the limit is played in full", () => {
  assert.deepEqual(advance(10, 1.5, 10, 12, 2), { time: 11.5, left: 0 });
});

test("one who seeks into a long pause gets the limit from there", () => {
  assert.deepEqual(advance(50, 1, 50, 100, 2), { time: 51, left: 0 });
});

test("speeds go from 1/16 to 16 in steps and stay at the ends", () => {
  let speed = 1;
  for (let i = 0; i < 10; i++) speed = nextSpeed(speed, 1);
  assert.equal(speed, 16);
  for (let i = 0; i < 20; i++) speed = nextSpeed(speed, -1);
  assert.equal(speed, 1 / 16);
  assert.equal(nextSpeed(3, 1), 8);
  assert.deepEqual(
    SPEEDS.map(formatSpeed).filter((_, i) => i % 4 === 0),
    ["1/16×", "1×", "16×"],
  );
});

test("a speed from outside is brought into bounds", () => {
  assert.equal(clampSpeed(1000), 16);
  assert.equal(clampSpeed(0.001), 1 / 16);
  for (const bad of [Number.NaN, -1, 0, NO_LIMIT]) assert.equal(clampSpeed(bad), 1);
});
