import assert from "node:assert/strict";
import { test } from "node:test";
import {
  chainSaying,
  commandWords,
  keptWords,
  noteFacts,
  signalName,
  stateSaying,
  tokenSaying,
  viewingWords,
} from "../../src/pages/words.ts";

test("how a recording ended is told from its end facts, and a missing end is not called live", () => {
  const state = (is_live: boolean, end: Parameters<typeof stateSaying>[0]["end"]) =>
    stateSaying({ is_live, end }).text;
  assert.equal(state(true, null), "live");
  assert.equal(state(false, null), "no end");
  assert.equal(state(false, { reason: "exit", exit_status: 0 }), "exit 0");
  assert.equal(state(false, { reason: "exit", exit_status: 3 }), "exit 3");
  assert.equal(state(false, { reason: "signal", signal: 9 }), "SIGKILL");
  assert.equal(state(false, { reason: "hangup" }), "hung up");
  assert.equal(state(false, { reason: "never heard of" }), "ended");
});

test("signals have their Linux names", () => {
  assert.deepEqual([1, 2, 9, 15, 17, 31, 40].map(signalName), [
    "SIGHUP",
    "SIGINT",
    "SIGKILL",
    "SIGTERM",
    "SIGCHLD",
    "SIGSYS",
    "signal 40",
  ]);
});

test("a chain is called what it is: verified up to here, or broken at a line", () => {
  assert.equal(chainSaying({ state: "complete", lines: 3 }).text, "verified");
  assert.equal(chainSaying({ state: "so_far", lines: 3 }).text, "verified so far");
  const broken = chainSaying({
    state: "broken",
    lines: 6,
    broken_line: 7,
    broken_offset_bytes: 1234,
    reason: "prev differs",
  });
  assert.equal(broken.text, "broken at line 7");
  assert.match(broken.more, /Good up to line 6; broken at line 7 \(byte 1,234\)\. prev differs/);
  assert.equal(broken.tone, "bad");
  assert.notEqual(chainSaying({ state: "unchained", lines: 3 }).tone, "ok");
});

test("what was not kept is said too", () => {
  assert.equal(
    keptWords(["output", "window"]),
    "what the screen showed, window sizes; not what was typed",
  );
});

test("a command reads as it would be typed", () => {
  assert.equal(commandWords(["bash", "-c", "echo 'a b'"]), "bash -c 'echo '\\''a b'\\'''");
  assert.equal(commandWords(["/bin/ls", ""]), "/bin/ls ''");
});

test("a note's facts carry their units", () => {
  const facts = { dropped_bytes: 1024, over_ms: 2000, messages: 3, why: "rate" };
  assert.equal(
    noteFacts({ at_us: 0, kind: "drop", facts }),
    "dropped 1,024 bytes, over 2.0 s, messages 3, why rate",
  );
});

test("a token is called working only while it is", () => {
  const token = { id: "1", user: "a", role: "user", label: "x", created_unix_us: 1 } as const;
  assert.equal(tokenSaying(token, 10).text, "works");
  assert.equal(tokenSaying({ ...token, expires_unix_us: 10 }, 10).text, "expired");
  assert.equal(tokenSaying({ ...token, expires_unix_us: 11 }, 10).text, "works");
  assert.equal(tokenSaying({ ...token, revoked_unix_us: 5 }, 10).text, "revoked");
});

test("a viewing says what was done", () => {
  assert.equal(viewingWords("export", "html"), "downloaded it (html)");
  assert.equal(viewingWords("new kind", ""), "new kind");
});
