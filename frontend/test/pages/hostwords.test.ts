import assert from "node:assert/strict";
import { test } from "node:test";
import type { Host } from "../../src/pages/api/types.ts";
import {
  ago,
  hostSaying,
  hostWarnings,
  offset,
  orderSaying,
  ranges,
} from "../../src/pages/hostwords.ts";

const HOST: Host = {
  name: "web1",
  enrolled_unix_us: 0,
  recordings: 3,
  state: "good",
  warnings: [],
  sessions: 1,
  open: 1,
  missing: 2,
  lag_us: 125_000_000,
  clock_offset_us: -7_480_000,
};

test("a silent host says how much was open; states that are not known are said as they are", () => {
  assert.equal(hostSaying({ state: "good", open: 0 }).tone, "ok");
  assert.match(hostSaying({ state: "silent", open: 2 }).more, /2 recordings were being made/);
  assert.equal(hostSaying({ state: "odd", open: 0 }).text, "odd");
});

test("each warning names its amount, silence is left to the state", () => {
  const warnings = [
    "silent",
    "agent",
    "missing",
    "lag",
    "clock",
    "full",
    "failures",
    "number",
    "odd",
  ];
  assert.deepEqual(
    hostWarnings({ ...HOST, warnings }).map(({ text }) => text),
    [
      "no agent",
      "2 missing",
      "2 min 05 s behind",
      "clock −7.5 s",
      "spool nearly full",
      "failures",
      "numbers went back",
    ],
  );
});

test("offsets have a sign unless they are nothing, silences an age, numbers ranges", () => {
  assert.deepEqual([null, 4000, -49_000, 2_300_000, -3_600_000_000].map(offset), [
    "",
    "0.0 s",
    "0.0 s",
    "+2.3 s",
    "−3,600 s",
  ]);
  assert.deepEqual([null, 500, 6_000_000].map(ago), ["never", "now", "6.0 s ago"]);
  assert.equal(
    ranges([
      [41, 43],
      [1050, 1050],
    ]),
    "41–43, 1,050",
  );
});

test("what came of an order is said, with the host's reason", () => {
  assert.equal(orderSaying({ state: "waiting", failure: "" }).tone, "live");
  assert.equal(orderSaying({ state: "done", failure: "" }).tone, "ok");
  assert.equal(orderSaying({ state: "failed", failure: "no session" }).text, "failed: no session");
  assert.equal(orderSaying({ state: "expired", failure: "" }).tone, "warn");
});
