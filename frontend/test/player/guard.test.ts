import assert from "node:assert/strict";
import { test } from "node:test";
import { Terminal } from "@xterm/headless";
import { Emulator } from "../../src/player/emulator.ts";
import { guard } from "../../src/player/guard.ts";

async function shown(output: string): Promise<string> {
  const emulator = new Emulator(8, 4);
  await emulator.feed([[0, "o", output]]);
  return emulator.text();
}

const LINES = "1\r\n2\r\n3\r\n4\x1b[H";

test("enormous counts do what a screenful does, at once", async () => {
  const started = performance.now();
  for (const final of "LMSTIZb@PX") {
    for (const count of ["2147483647", "99999999999999"]) {
      const most = final === "b" ? 32 + ((2147483647 - 32) % 8) : 8;
      const expected = await shown(`${LINES}x\x1b[${most}${final}y`);
      assert.equal(await shown(`${LINES}x\x1b[${count}${final}y`), expected, final);
    }
  }
  assert.ok(performance.now() - started < 20_000, "each would take minutes");
});

test("usual counts do what they say", async () => {
  assert.equal(await shown(`${LINES}\x1b[2L`), "\n\n1\n2");
  assert.equal(await shown(`${LINES}\x1b[L`), "\n1\n2\n3");
  assert.equal(await shown(`${LINES}\x1b[2M`), "3\n4");
  assert.equal(await shown(`${LINES}\x1b[S`), "2\n3\n4");
  assert.equal(await shown("ab\x1b[3b"), "abbbb");
});

test("nothing is answered, renamed or linked", async () => {
  const told: string[] = [];
  const terminal = new Terminal({ disableStdin: true, allowProposedApi: true });
  guard(terminal);
  terminal.onData((data) => told.push(data));
  terminal.onBinary((data) => told.push(data));
  terminal.onTitleChange((title) => told.push(title));
  const attacks =
    "\x1b[c\x1b[>c\x1b[5n\x1b[6n\x1b[?6n\x1b[21t\x1b[18t\x1bP$qm\x1b\\\x1b]0;t\x07\x1b]2;t\x07" +
    "\x1b]10;?\x07\x1b]4;1;?\x07\x1b]52;c;?\x07\x1b[?1$p\x1bZ\x05\x1b[0x\x1b]8;;http://x\x07l\x1b]8;;\x07";
  await new Promise<void>((resolve) => terminal.write(attacks, resolve));
  assert.deepEqual(told, []);
});
