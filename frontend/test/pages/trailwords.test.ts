import assert from "node:assert/strict";
import { test } from "node:test";
import type { Command } from "../../src/pages/api/types.ts";
import { kindLabel, remarksOn } from "../../src/pages/trail/words.ts";

const NOTHING = { programs: 0, events: 0, files_changed: 0, connections: 0, denials: 0 };
const PLAIN: Command = {
  number: 1,
  parent: null,
  at_us: 1_000_000,
  text: "make",
  source: "audit",
  kind: "program",
  end_us: null,
  ended: "unknown",
  origin: "typed",
  typed: "make",
  arguments: ["make"],
  arguments_left_out: 0,
  program: "/usr/bin/make",
  pid: 7,
  user: "avery",
  exit_status: null,
  signal: null,
  error: null,
  is_background: false,
  pipeline: null,
  privilege: null,
  own: NOTHING,
  below: NOTHING,
};

const said = (facts: Partial<Command>) => remarksOn({ ...PLAIN, ...facts }).map(({ text }) => text);

test("of what is not known nothing is said", () => {
  assert.deepEqual(said({}), []);
});

test("how long it took is said as exactly as it is known", () => {
  const end_us = 3_500_000;
  assert.deepEqual(said({ end_us, ended: "exit", exit_status: 0 }), ["2.5 s", "exit 0"]);
  assert.deepEqual(said({ end_us, ended: "next" }), ["≤ 2.5 s"]);
  assert.deepEqual(said({ end_us, ended: "last" }), ["≥ 2.5 s"]);
  assert.deepEqual(said({ end_us: 1_040_000, ended: "exit" }), ["40 ms"]);
  assert.deepEqual(said({ end_us: 1_004_000, ended: "exit" }), ["< 10 ms"]);
  assert.deepEqual(said({ end_us: 1_000_000, ended: "last" }), []);
});

test("who ran it, as whom, how it ended and what it did is said", () => {
  assert.deepEqual(said({ origin: "script", privilege: "root", is_background: true, signal: 9 }), [
    "from a script",
    "as root",
    "in the background",
    "SIGKILL",
  ]);
  assert.deepEqual(said({ origin: "other", error: "ENOENT" }), ["by itself", "ENOENT"]);
  const below = { ...NOTHING, files_changed: 1, connections: 2, denials: 3 };
  assert.deepEqual(said({ below }), ["1 file change", "2 connections", "3 denied"]);
  const denied = remarksOn({ ...PLAIN, below }).at(-1);
  assert.equal(denied?.tone, "bad");
});

test("a kind that is not known is shown as it is", () => {
  assert.equal(kindLabel("privileges"), "Rights");
  assert.equal(kindLabel("later"), "later");
});
