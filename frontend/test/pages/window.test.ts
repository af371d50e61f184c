import assert from "node:assert/strict";
import { test } from "node:test";
import type { RecordedEvent } from "../../src/pages/api/types.ts";
import {
  beginning,
  eventAt,
  joined,
  MAX_LOADED,
  placeOf,
  reopened,
  type TrailWindow,
} from "../../src/pages/trail/window.ts";

const event = (serial: number, at_us = serial * 1000): RecordedEvent => ({
  at_us,
  command: null,
  kind: "files",
  event: { serial, at_unix_us: at_us, action: "wrote" },
});

const events = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, n) => event(first + n));

const serials = ({ items }: TrailWindow) => items.map((item) => item.event.serial);

test("pages join at both ends, in order, each event once", () => {
  let window = beginning(50_000);
  window = joined(window, "later", window.later, { items: events(51, 60), cursor: "x" });
  const back = events(41, 51).reverse();
  window = joined(window, "earlier", window.earlier, { items: back, cursor: null });
  assert.deepEqual(serials(window), serials({ ...window, items: events(41, 60) }));
  assert.equal(window.earlier, null);
  assert.equal(window.later?.cursor, "x");
});

test("however far somebody goes on, the rows stay few, and the way back stays open", () => {
  let window = beginning(null);
  for (let first = 1; first <= 100_000; first += 500) {
    const page = { items: events(first, first + 499), cursor: String(first) };
    window = joined(window, "later", window.later, page);
    assert.ok(window.items.length <= MAX_LOADED);
  }
  assert.equal(serials(window).at(-1), 100_000);
  assert.ok(window.earlier);
  const first = window.items[0];
  assert.ok(first && window.earlier.to_us === first.at_us + 1 && window.earlier.sort === "-at");
  assert.equal(placeOf(window, 5), "earlier");
});

test("a growing trail is asked for what came since, from its last event on", () => {
  const whole = joined(
    beginning(null),
    "later",
    { sort: "at" },
    { items: events(1, 3), cursor: null },
  );
  assert.equal(whole.later, null);
  const again = reopened(whole);
  assert.equal(again.later?.from_us, 3000);
  const grown = joined(again, "later", again.later, { items: events(3, 5), cursor: null });
  assert.deepEqual(serials(grown), [1, 2, 3, 4, 5]);
});

test("an instant stands at the last event not after it", () => {
  const items = [event(1, 10), event(2, 20), event(3, 20), event(4, 30)];
  assert.equal(eventAt(items, 9), -1);
  assert.equal(eventAt(items, 10), 0);
  assert.equal(eventAt(items, 20), 2);
  assert.equal(eventAt(items, 1000), 3);
  assert.equal(eventAt([], 5), -1);
});
