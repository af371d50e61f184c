/** Keeps a hostile recording from holding up or filling the terminal. */
import type { Terminal } from "@xterm/headless";

/** Commands of the operating system's that xterm.js acts on: titles, colours, links, clipboard. */
const REFUSED_OSC = [0, 1, 2, 4, 7, 8, 9, 10, 11, 12, 52, 104, 110, 111, 112, 777, 1337];

interface Parameters {
  params: Int32Array;
  length: number;
}

/** The part of xterm.js 6.0.0 behind its public interface that is needed here. */
interface Core {
  registerCsiHandler(id: { final: string }, handler: (parameters: Parameters) => boolean): unknown;
}

/** CSI functions that do something as often as the recording says, and what makes no difference. */
const REPEATED: Readonly<Record<string, (count: number, terminal: Terminal) => number>> = {
  // Insert and delete lines, scroll up and down: a screenful is all.
  L: (count, { rows }) => Math.min(count, rows),
  M: (count, { rows }) => Math.min(count, rows),
  S: (count, { rows }) => Math.min(count, rows),
  T: (count, { rows }) => Math.min(count, rows),
  // Tabs forward and back: to the edge.
  I: (count, { cols }) => Math.min(count, cols),
  Z: (count, { cols }) => Math.min(count, cols),
  // Repeat a character: a full screen, and the cursor where it would end up.
  b: (count, { cols, rows }) => {
    const full = cols * rows;
    return count <= full ? count : full + ((count - full) % cols);
  },
};

/**
 * Bound the functions that repeat: xterm.js does them one by one, 2147483647 times if told so.
 *
 * Its public interface hands out copies of the parameters, so this takes the core's. To be removed
 * once xterm.js bounds them itself; test/player/guard.test.ts fails if the core changes.
 */
function boundRepeats(terminal: Terminal): void {
  const core = (terminal as unknown as { _core: Core })._core;
  for (const [final, bound] of Object.entries(REPEATED)) {
    core.registerCsiHandler({ final }, ({ params }) => {
      const count = params[0] ?? 1;
      if (count > 1) params[0] = bound(count, terminal);
      return false;
    });
  }
}

/** Guard a terminal before anything is written to it. */
export function guard(terminal: Terminal): void {
  boundRepeats(terminal);
  for (const number of REFUSED_OSC) terminal.parser.registerOscHandler(number, () => true);
}
