import assert from "node:assert/strict";
import { test } from "node:test";
import { openWords, severitySaying, timesWords, whoWords } from "../../src/pages/alertwords.ts";
import type { Alert } from "../../src/pages/api/types.ts";
import { alertsPath, routeOf } from "../../src/pages/router.ts";

const ALERT: Alert = {
  id: 1,
  rule: "r",
  severity: "high",
  description: "why",
  at_unix_us: 0,
  last_unix_us: 60_000_000,
  raised_unix_us: 0,
  count: 1,
  text: "what",
  others: [],
  host: "web1",
};

test("how bad an alert is, is said by word and colour", () => {
  assert.deepEqual(severitySaying(ALERT), { text: "high", tone: "bad", more: "why" });
  assert.equal(severitySaying({ ...ALERT, severity: "low" }).tone, "plain");
});

test("what happened several times says so", () => {
  assert.equal(timesWords(ALERT), "");
  assert.match(timesWords({ ...ALERT, count: 3 }), /^3 times, the last at 1970-01-01 /);
});

test("who it was names both accounts where they differ", () => {
  assert.equal(whoWords({ ...ALERT, user: "root", login_user: "avery" }), "avery as root");
  assert.equal(whoWords({ ...ALERT, user: "avery", login_user: "avery" }), "avery");
  assert.equal(whoWords({ ...ALERT, user: "blake" }), "blake");
  assert.equal(whoWords(ALERT), "");
});

test("what is open is told, the worst first", () => {
  assert.equal(openWords({ low: 0, medium: 0 }), "");
  assert.equal(openWords({ low: 2 }), "2 low");
  assert.equal(openWords({ low: 2, high: 1, critical: 3 }), "3 critical, 1 high and 2 low");
});

test("the address says which alerts are shown", () => {
  assert.equal(alertsPath(), "/alerts");
  assert.equal(alertsPath("high", "all"), "/alerts?least=high&state=all");
  const route = routeOf(new URL("https://s/alerts?least=high"));
  assert.deepEqual(route, { page: "alerts", least: "high", state: "open" });
});
