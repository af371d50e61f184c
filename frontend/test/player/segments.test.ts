import assert from "node:assert/strict";
import { test } from "node:test";
import type { Segment } from "../../src/player/public.ts";
import { SegmentCache, sizeOf } from "../../src/player/segments.ts";

function segment(length: number): Segment {
  return { snapshot: { cols: 80, rows: 24, init: "" }, events: [[0, "o", "x".repeat(length)]] };
}

test("a segment that is being fetched is not fetched again", async () => {
  let fetches = 0;
  const cache = new SegmentCache(async () => {
    fetches++;
    return segment(10);
  });
  const [a, b] = await Promise.all([cache.get(3), cache.get(3)]);
  assert.equal(a, b);
  await cache.get(3);
  assert.equal(fetches, 1);
  assert.equal(cache.peek(3), a);
});

test("what was used least recently goes first when the limit is reached", async () => {
  const each = sizeOf(segment(1000));
  const cache = new SegmentCache(async () => segment(1000), each * 3);
  for (const n of [0, 1, 2]) await cache.get(n);
  await cache.get(0);
  await cache.get(3);
  assert.deepEqual(
    [0, 1, 2, 3].filter((n) => cache.peek(n)),
    [0, 2, 3],
  );
  assert.ok(cache.size <= each * 3);
});

test("a segment larger than the limit is kept while it is the one in use", async () => {
  const cache = new SegmentCache(async () => segment(5000), 100);
  const got = await cache.get(0);
  assert.equal(cache.peek(0), got);
});

test("a failed fetch rejects and is tried again the next time", async () => {
  let fetches = 0;
  const cache = new SegmentCache(async () => {
    fetches++;
    if (fetches === 1) throw new Error("the line is down");
    return segment(1);
  });
  await assert.rejects(cache.get(0), /line is down/);
  assert.ok(await cache.get(0));
});

test("prefetches that a seek makes useless are ended, the wanted one is not", async () => {
  const aborted: number[] = [];
  const cache = new SegmentCache(
    (n, signal) =>
      new Promise((resolve) => {
        signal.addEventListener("abort", () => aborted.push(n));
        if (n === 7) setTimeout(() => resolve(segment(1)), 5);
      }),
  );
  cache.prefetch(1);
  cache.prefetch(7);
  cache.cancelPrefetches(7);
  assert.deepEqual(aborted, [1]);
  assert.ok(await cache.get(7));
});

test("a seek within a segment that is here goes on fetching the next one", async () => {
  const asked: number[] = [];
  const aborted: number[] = [];
  const cache = new SegmentCache((n, signal) => {
    asked.push(n);
    signal.addEventListener("abort", () => aborted.push(n));
    return n === 7 ? Promise.resolve(segment(1)) : new Promise(() => undefined);
  });
  await cache.get(7);
  cache.prefetch(8);
  cache.prefetch(9);
  cache.cancelPrefetches(7);
  cache.prefetch(8);
  assert.deepEqual([asked, aborted], [[7, 8, 9], [9]]);
  cache.cancelPrefetches(3);
  assert.deepEqual(aborted, [9, 8]);
});
