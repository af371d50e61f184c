import assert from "node:assert/strict";
import { test } from "node:test";
import {
  asProblem,
  caretLines,
  Problem,
  problemFrom,
  problemLine,
} from "../../src/pages/api/problem.ts";

test("a problem document becomes one line", () => {
  const body = { type: "about:blank", title: "Not Found", status: 404, detail: "no recording ab" };
  assert.equal(problemLine(problemFrom(404, body, null)), "No recording ab.");
  const limit = problemFrom(429, { title: "Too Many Requests", detail: "too many attempts" }, "30");
  assert.equal(problemLine(limit), "Too many attempts. Try again in 30 s.");
});

test("any body, or none, still gives a line", () => {
  for (const body of [null, "x", 7, [], { title: 3 }, { detail: {} }]) {
    assert.match(problemLine(problemFrom(500, body, "soon")), /500/);
  }
  assert.match(problemLine(problemFrom(403, null, null)), /may not/);
});

test("a query's problem knows the place, counted in characters", () => {
  const body = { title: "Bad query", detail: "unclosed quote", query: '😀 "x', position: 2 };
  const problem = problemFrom(400, body, null);
  assert.ok(problem.isAboutQuery);
  assert.equal(problemLine(problem), "Bad query: unclosed quote.");
  assert.deepEqual(caretLines('😀 "x', 2), ['😀 "x', "  ^"]);
  assert.deepEqual(caretLines("a\tb", 9), ["a b", "   ^"]);
});

test("an aborted request is no problem, a dead connection is one", () => {
  assert.equal(asProblem(new DOMException("x", "AbortError")), null);
  const dead = asProblem(new TypeError("Failed to fetch"));
  assert.ok(dead instanceof Problem);
  assert.match(problemLine(dead), /cannot be reached/);
});
