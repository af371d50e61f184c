import assert from "node:assert/strict";
import { test } from "node:test";
import {
  listPath,
  localPath,
  loginPath,
  loginsPath,
  recordingPath,
  routeOf,
  searchPath,
  secondsFrom,
} from "../../src/pages/router.ts";

const ORIGIN = "https://steno.example";
const route = (path: string) => routeOf(new URL(path, ORIGIN));

test("every address shows its page", () => {
  assert.deepEqual(route("/"), {
    page: "recordings",
    query: "",
    sort: "-started",
    cursor: null,
  });
  assert.deepEqual(route("/recordings/ab%20c?t=12.3&q=x"), {
    page: "recording",
    rec: "ab c",
    atSeconds: 12.3,
    find: "x",
    event: null,
  });
  assert.equal(route("/hosts").page, "hosts");
  assert.deepEqual(route("/hosts/web%2F1"), { page: "host", name: "web/1" });
  assert.equal(route("/recordings/").page, "unknown");
  assert.equal(route("/recordings/a/b").page, "unknown");
  assert.equal(route("/recordings/%E0%A4%A").page, "recording");
});

test("addresses that are made lead back to what they were made from", () => {
  assert.deepEqual(route(listPath("user:a b&c", "duration", "c+/=")), {
    page: "recordings",
    query: "user:a b&c",
    sort: "duration",
    cursor: "c+/=",
  });
  for (const isOfEvents of [false, true]) {
    assert.deepEqual(route(searchPath('"50%" #1', isOfEvents)), {
      page: "search",
      query: '"50%" #1',
      isOfEvents,
    });
  }
  const filter = {
    user: "a&b",
    host: "web*",
    source: "::1",
    service: "",
    recorded: "no" as const,
    from: "2026-11-20",
    until: "",
  };
  for (const showsFailures of [false, true]) {
    assert.deepEqual(route(loginsPath(filter, showsFailures)), {
      page: "logins",
      filter,
      showsFailures,
    });
  }
  const made = route(recordingPath("../../evil", 1_500_000, "x"));
  assert.deepEqual(made, {
    page: "recording",
    rec: "../../evil",
    atSeconds: 1.5,
    find: "x",
    event: null,
  });
  const opened = route(recordingPath("ab", 1_500_000, "", 4711));
  assert.equal(opened.page === "recording" && opened.event, 4711);
  const wrong = route("/recordings/ab?event=-1e3");
  assert.equal(wrong.page === "recording" && wrong.event, null);
  assert.deepEqual(route(loginPath("/search?q=a b")), { page: "login", next: "/search?q=a%20b" });
});

test("a link onwards never leaves the site", () => {
  assert.equal(localPath("/recordings/x?t=1", ORIGIN), "/recordings/x?t=1");
  for (const target of [
    null,
    "",
    "https://evil.example/",
    "//evil.example/",
    "/\\evil.example/",
    "/\t/evil.example/",
    "javascript:alert(1)",
    "recordings",
  ]) {
    assert.equal(localPath(target, ORIGIN), "/", String(target));
  }
  assert.equal(localPath("/.//evil.example", ORIGIN), "/");
});

test("an instant is a plain number of seconds or nothing", () => {
  assert.equal(secondsFrom("12.345678"), 12.345678);
  for (const text of [null, "", "-1", "1e9", "NaN", "Infinity", "1:02", " 1"]) {
    assert.equal(secondsFrom(text), null, String(text));
  }
});
