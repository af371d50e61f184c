import assert from "node:assert/strict";
import { test } from "node:test";
import { recordingFrom } from "../../src/pages/api/changes.ts";
import { Api, apiPath, exportPath, zoneOf } from "../../src/pages/api/client.ts";
import { Problem } from "../../src/pages/api/problem.ts";

const json = (status: number, body: unknown, type = "application/json"): Response =>
  new Response(JSON.stringify(body), { status, headers: { "Content-Type": type } });

test("whatever a recording is called, its path stays below the API", () => {
  assert.equal(apiPath(["recordings", "../x?y#z"]), "/api/v1/recordings/..%2Fx%3Fy%23z");
  assert.equal(exportPath("ab", "html"), "/api/v1/recordings/ab/export?format=html");
  assert.equal(
    apiPath(["search"], { q: "a&b", cursor: null, limit: 5 }),
    "/api/v1/search?q=a%26b&limit=5",
  );
});

test("time zones are told as the API wants them", () => {
  assert.deepEqual([0, -120, 570, -345].map(zoneOf), ["+00:00", "+02:00", "-09:30", "+05:45"]);
});

test("what changes something carries the session's CSRF token, what reads does not", async () => {
  const sent: [string, Headers][] = [];
  const api = new Api(
    () => assert.fail("still signed in"),
    async (input, init) => {
      sent.push([`${init?.method} ${String(input)}`, new Headers(init?.headers)]);
      if (String(input).endsWith("/session")) {
        return json(200, { user: { name: "a", role: "admin" }, csrf_token: "secret" });
      }
      return init?.method === "DELETE"
        ? new Response(null, { status: 204 })
        : json(200, { items: [] });
    },
  );
  await api.session();
  await api.hosts();
  await api.revokeToken("x/y");
  assert.deepEqual(
    sent.map(([request, headers]) => [request, headers.get("X-CSRF-Token")]),
    [
      ["GET /api/v1/session", null],
      ["GET /api/v1/hosts", null],
      ["DELETE /api/v1/tokens/x%2Fy", "secret"],
    ],
  );
});

test("what a page asks by itself says so", async () => {
  const sent: (string | null)[] = [];
  const api = new Api(
    () => assert.fail("still signed in"),
    async (_, init) => {
      const headers = new Headers(init?.headers);
      assert.equal(headers.get("Accept"), "application/json");
      sent.push(headers.get("X-Steno-Unattended"));
      return json(200, { items: [] });
    },
  );
  await api.hosts();
  await api.unattended.hosts();
  assert.deepEqual(sent, [null, "1"]);
});

test("nobody being signed in is an answer; a session that ended is told", async () => {
  let ended = 0;
  const refuse = async () => json(401, { title: "Unauthorized" }, "application/problem+json");
  const api = new Api(() => {
    ended += 1;
  }, refuse);
  assert.equal(await api.session(), null);
  assert.equal(ended, 0);
  await assert.rejects(api.hosts(), (error) => error instanceof Problem && error.status === 401);
  assert.equal(ended, 1);
});

test("a wrong password is no ended session", async () => {
  const problem = { title: "Wrong credentials", detail: "name or password is wrong" };
  const api = new Api(
    () => assert.fail("there was no session"),
    async () => json(401, problem, "application/problem+json"),
  );
  await assert.rejects(api.signIn("a", "b"), /name or password is wrong/);
});

test("an event that holds no recording is left alone", () => {
  assert.equal(recordingFrom('{"rec":"ab","user":"x"}')?.rec, "ab");
  for (const data of ["", "null", "[]", "{", '{"rec":5}']) assert.equal(recordingFrom(data), null);
});

test("days of a filter for logins are this browser's, the last one included", async () => {
  const sent: URL[] = [];
  const api = new Api(
    () => assert.fail("still signed in"),
    async (input) => {
      sent.push(new URL(String(input), "https://steno.example"));
      return json(200, { items: [{}], cursor: null });
    },
  );
  const filter = {
    user: "avery",
    host: "",
    source: "",
    service: "",
    recorded: "no" as const,
    from: "2026-11-20",
    until: "2026-11-20",
  };
  await api.logins(filter, null, 5);
  await api.loginFailures({ ...filter, from: "soon", until: "" }, "c", 5);
  const [logins, failures] = sent.map(({ searchParams }) => Object.fromEntries(searchParams));
  const midnight = new Date(2026, 10, 20).getTime() * 1000;
  const next = new Date(2026, 10, 21).getTime() * 1000;
  assert.deepEqual(logins, {
    user: "avery",
    recorded: "no",
    from_unix_us: String(midnight),
    until_unix_us: String(next),
    limit: "5",
  });
  assert.deepEqual(failures, { user: "avery", cursor: "c", limit: "5" });
});
