import assert from "node:assert/strict";
import { test } from "node:test";
import {
  clustersOf,
  clusterWords,
  LANES,
  lanePaths,
  nearestCluster,
  ownCommands,
  spansPath,
  stretchesOf,
} from "../../src/player/lanes.ts";
import type { LaneStretch, RanCommand } from "../../src/player/public.ts";

const one = (at: number, failures = 0, text = `at ${at}`): LaneStretch => ({
  first_us: at * 1e6,
  last_us: at * 1e6,
  events: 1,
  failures,
  text,
});

test("a hundred thousand events make a drawing of a few hundred marks", () => {
  const many = Array.from({ length: 100_000 }, (_, n) => one(n / 100));
  const clusters = clustersOf(many, 1000, 3 / 800);
  assert.ok(clusters.length <= 267);
  assert.equal(
    clusters.reduce((sum, { count }) => sum + count, 0),
    100_000,
  );
  const { good, bad } = lanePaths(clusters, 1000, 800, 10);
  assert.ok(good.length < 30_000);
  assert.equal(bad, "");
});

test("what says the same counts once, however often it was said", () => {
  const refused = { ...one(1, 1, "ps was refused (143 times)"), events: 143, marks: 1 };
  const [alone] = clustersOf([refused], 100, 0.01);
  assert.deepEqual([alone?.count, alone?.failures], [1, 1]);
  const [lane] = LANES;
  assert.ok(lane && alone);
  assert.equal(clusterWords(lane, alone), "ps was refused (143 times)");
  const [both] = clustersOf([refused, one(1.1, 1)], 100, 0.01);
  assert.equal(both?.count, 2);
});

test("a failure among many is drawn as one", () => {
  const clusters = clustersOf([one(1), one(1.001, 1), one(500)], 1000, 0.01);
  assert.deepEqual(
    clusters.map(({ count, failures }) => [count, failures]),
    [
      [2, 1],
      [1, 0],
    ],
  );
  const { good, bad } = lanePaths(clusters, 1000, 800, 10);
  assert.ok(good.startsWith("M399.0 "));
  assert.ok(bad.startsWith("M0.8 "));
});

test("a mark says what it is, controls and turned-round text made visible", () => {
  const files = LANES.find(({ name }) => name === "files");
  assert.ok(files);
  const [cluster] = clustersOf([one(1, 0, "wrote a\u001b]0;x\u0007\u202egnp")], 10, 0.01);
  assert.ok(cluster);
  assert.equal(clusterWords(files, cluster), "wrote a␛]0;x␇gnp");
  const more = { ...cluster, count: 1234, failures: 2 };
  assert.match(clusterWords(files, more), /^1,234 file changes, 2 failed: wrote a/);
});

test("the nearest mark is found within reach only", () => {
  const clusters = clustersOf([one(1), one(5)], 10, 0.01);
  assert.equal(nearestCluster(clusters, 4.8, 0.5)?.from, 5);
  assert.equal(nearestCluster(clusters, 3, 0.5), null);
});

test("the commands of a lane are what was typed into shells, not what these ran", () => {
  const commands: RanCommand[] = [
    { number: 1, parent: null, kind: "shell", origin: "other", at_us: 0, text: "-bash" },
    { number: 2, parent: 1, kind: "line", origin: "typed", at_us: 1, text: "a | b" },
    { number: 3, parent: 2, kind: "program", origin: "typed", at_us: 1, text: "a" },
    { number: 4, parent: 1, kind: "program", origin: "other", at_us: 2, text: "clear_console" },
    { number: 5, parent: 1, kind: "program", origin: "typed", at_us: 3, text: "x", exit_status: 2 },
  ];
  assert.deepEqual(
    ownCommands(commands).map(({ text }) => text),
    ["a | b", "x"],
  );
  assert.deepEqual(
    stretchesOf({ commands }, "commands").map(({ failures }) => failures),
    [0, 1],
  );
  assert.deepEqual(ownCommands([{ at_us: 5, text: "from a screen" }]).length, 1);
});

test("how long commands ran is drawn where it is wide enough to be seen", () => {
  const commands: RanCommand[] = [
    { at_us: 0, end_us: 50e6, text: "long" },
    { at_us: 60e6, end_us: 60.001e6, text: "short" },
    { at_us: 70e6, text: "goes on" },
  ];
  assert.equal(spansPath(commands, 100, 800, 10), "M0.0 10V5.0H400.0V10z");
});
