/** The keyboard: which key does what. The help overlay and docs/player.md show this table. */

export type Action =
  | { do: "toggle" | "step" | "stepBack" | "fullscreen" | "search" | "nextHit" | "previousHit" }
  | { do: "goTo" | "help" | "live" | "copy" | "zoom" | "link" | "close" | "start" | "end" }
  | { do: "nextTrouble" | "previousTrouble" }
  | { do: "nextMark" | "previousMark" | "faster" | "slower" | "normalSpeed" | "idle" }
  | { do: "skip"; seconds: number }
  | { do: "tenth"; tenth: number };

export interface Shortcut {
  keys: readonly string[];
  help: string;
}

export const SHORTCUTS: readonly Shortcut[] = [
  { keys: ["Space", "k"], help: "play or pause" },
  { keys: [".", ","], help: "next piece, previous piece" },
  { keys: ["←", "→"], help: "5 seconds back, forward" },
  { keys: ["Shift+←", "Shift+→"], help: "1 minute back, forward" },
  { keys: ["[", "]"], help: "previous, next command" },
  { keys: ["{", "}"], help: "previous, next denial or alert" },
  { keys: ["<", ">"], help: "slower, faster (1/16 to 16 times)" },
  { keys: ["="], help: "normal speed" },
  { keys: ["0", "…", "9"], help: "0 % to 90 % of the recording" },
  { keys: ["Home", "End"], help: "begin, end" },
  { keys: ["g"], help: "go to a time" },
  { keys: ["l"], help: "back to live" },
  { keys: ["i"], help: "shorten pauses, or play them in full" },
  { keys: ["/"], help: "search" },
  { keys: ["n", "N"], help: "next, previous hit" },
  { keys: ["c"], help: "copy the screen's text" },
  { keys: ["u"], help: "copy a link to this instant" },
  { keys: ["z"], help: "fit to the window, or real size" },
  { keys: ["f"], help: "full screen" },
  { keys: ["?"], help: "this help" },
  { keys: ["Esc"], help: "close help, search or menu" },
];

const ACTIONS: Readonly<Record<string, Action>> = {
  " ": { do: "toggle" },
  k: { do: "toggle" },
  ".": { do: "step" },
  ",": { do: "stepBack" },
  ArrowLeft: { do: "skip", seconds: -5 },
  ArrowRight: { do: "skip", seconds: 5 },
  "Shift+ArrowLeft": { do: "skip", seconds: -60 },
  "Shift+ArrowRight": { do: "skip", seconds: 60 },
  "[": { do: "previousMark" },
  "]": { do: "nextMark" },
  "{": { do: "previousTrouble" },
  "}": { do: "nextTrouble" },
  "<": { do: "slower" },
  ">": { do: "faster" },
  "=": { do: "normalSpeed" },
  Home: { do: "start" },
  End: { do: "end" },
  g: { do: "goTo" },
  l: { do: "live" },
  i: { do: "idle" },
  "/": { do: "search" },
  n: { do: "nextHit" },
  N: { do: "previousHit" },
  c: { do: "copy" },
  u: { do: "link" },
  z: { do: "zoom" },
  f: { do: "fullscreen" },
  "?": { do: "help" },
  Escape: { do: "close" },
};

export interface KeyPress {
  key: string;
  shiftKey: boolean;
  ctrlKey: boolean;
  altKey: boolean;
  metaKey: boolean;
}

/** What a key does; null when it is not ours, so that the browser's own keys keep working. */
export function actionOf(press: KeyPress): Action | null {
  if (press.ctrlKey || press.altKey || press.metaKey) return null;
  if (/^[0-9]$/.test(press.key)) return { do: "tenth", tenth: Number(press.key) };
  const name = press.shiftKey && press.key.startsWith("Arrow") ? `Shift+${press.key}` : press.key;
  return Object.hasOwn(ACTIONS, name) ? (ACTIONS[name] ?? null) : null;
}
