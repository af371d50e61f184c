/** The facts of a recording in plain words. */

import type { End, Note, Recording, Role, Token, Verification } from "./api/types.ts";
import { count, counted, duration, exactSize } from "./format.ts";

/** How serious something is; the pages colour it so, never by colour alone. */
export type Tone = "ok" | "live" | "plain" | "warn" | "bad";

export interface Saying {
  text: string;
  tone: Tone;
  /** The whole story, for a tooltip. */
  more: string;
}

/** Linux's signals by number (x86 and ARM), as `kill -l` names them. */
const SIGNALS = [
  ..."HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD".split(" "),
  ..."CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS".split(" "),
];

/** "SIGKILL" for 9; "signal 40" for what has no name. */
export function signalName(number: number): string {
  const name = SIGNALS[number - 1];
  return name === undefined ? `signal ${number}` : `SIG${name}`;
}

function exitSaying(status: number | null | undefined): Saying {
  if (status === null || status === undefined) {
    return { text: "ended", tone: "plain", more: "The recorded program ended." };
  }
  const more = `The recorded program ended with exit status ${status}.`;
  return { text: `exit ${status}`, tone: status === 0 ? "plain" : "warn", more };
}

function endSaying(end: End): Saying {
  switch (end.reason) {
    case "exit":
      return exitSaying(end.exit_status);
    case "signal": {
      const name = end.signal ? signalName(end.signal) : "a signal";
      return { text: name, tone: "warn", more: `The recorded program was ended by ${name}.` };
    }
    case "hangup":
      return { text: "hung up", tone: "plain", more: "The terminal vanished: closed or cut off." };
    case "recorder":
      return { text: "recorder stopped", tone: "bad", more: "The recorder gave up recording." };
    default:
      return { text: "ended", tone: "plain", more: "It ended; why is not known." };
  }
}

/** Whether a recording is live, or how it ended. */
export function stateSaying(recording: Pick<Recording, "is_live" | "end">): Saying {
  if (recording.end) return endSaying(recording.end);
  if (recording.is_live) {
    return { text: "live", tone: "live", more: "Being recorded at this moment." };
  }
  return {
    text: "no end",
    tone: "warn",
    more: "It stopped without an end: the host, the recorder or the connection failed.",
  };
}

/** The verdict to show: what was checked now, unless more has come in since and that was good. */
export function newestChain(cameIn: Verification, checked: Verification | null): Verification {
  if (checked === null) return cameIn;
  return checked.state === "broken" || checked.lines >= cameIn.lines ? checked : cameIn;
}

/** What the chain of digests proves. */
export function chainSaying(chain: Verification): Saying {
  const lines = counted(chain.lines, "line");
  if (chain.lines === 0 && chain.state === "so_far") {
    return { text: "nothing yet", tone: "plain", more: "No line of it has come yet." };
  }
  switch (chain.state) {
    case "complete":
      return {
        text: "verified",
        tone: "ok",
        more: `Unbroken from the first line to the recorded end: ${lines}.`,
      };
    case "so_far":
      return {
        text: "verified so far",
        tone: "ok",
        more: `Unbroken over the ${lines} received so far; no end has come yet.`,
      };
    case "broken": {
      const line = chain.broken_line ?? chain.lines + 1;
      const at = chain.broken_offset_bytes ?? null;
      const place = at === null ? "" : ` (byte ${count(at)})`;
      const why = chain.reason ? ` ${chain.reason}.` : "";
      return {
        text: `broken at line ${count(line)}`,
        tone: "bad",
        more: `Good up to line ${count(line - 1)}; broken at line ${count(line)}${place}.${why}`,
      };
    }
    default:
      return {
        text: "no chain",
        tone: "plain",
        more: `Its ${lines} carry no chain, so that nobody can tell whether they were altered.`,
      };
  }
}

const SERVICES: Record<string, string> = {
  sshd: "sshd (from another machine)",
  su: "su (became another user)",
  sudo: "sudo (ran with another user's rights)",
  login: "login (at a console)",
  cron: "cron (scheduled)",
  rec: "steno rec (started by the person)",
};

/** What let the person in. */
export function serviceWords(service: string): string {
  return SERVICES[service] ?? service;
}

const KEPT: Record<string, string> = {
  output: "what the screen showed",
  input: "what was typed",
  window: "window sizes",
};

/** What a recording holds: "what the screen showed, window sizes; not what was typed". */
export function keptWords(records: string[]): string {
  const kept = records.map((word) => KEPT[word] ?? word);
  const missing = Object.keys(KEPT)
    .filter((word) => !records.includes(word))
    .map((word) => KEPT[word]);
  const not = missing.length > 0 ? `; not ${missing.join(", not ")}` : "";
  return (kept.join(", ") || "nothing") + not;
}

/** A program and its arguments as one would type them in a shell. */
export function commandWords(command: string[]): string {
  return command
    .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replace(/'/g, "'\\''")}'`))
    .join(" ");
}

/** "1 line of 80 x 24" style window size; "no window (pipes)" without a terminal. */
export function windowWords(columns?: number | null, rows?: number | null): string {
  return columns && rows ? `${columns} columns × ${rows} rows` : "no window (pipes)";
}

interface NoteKind {
  label: string;
  story: string;
  tone: Tone;
}

const NOTE_KINDS: Record<string, NoteKind> = {
  unseen: {
    label: "Typed unseen, not kept",
    story: "Something was typed while the terminal showed nothing, as passwords are.",
    tone: "plain",
  },
  drop: {
    label: "Dropped",
    story: "The rate limit threw some bytes away; they are not in the recording.",
    tone: "warn",
  },
  delay: {
    label: "Held back",
    story: "The rate limit slowed the terminal down; nothing is missing.",
    tone: "plain",
  },
  message: {
    label: "Message to the person",
    story: "Somebody sent a line to the person's terminal.",
    tone: "plain",
  },
  kill: {
    label: "Ended by somebody",
    story: "Somebody ended the session from outside.",
    tone: "warn",
  },
  restart: {
    label: "Recorder restarted",
    story: "The recorder was started anew while the session lived on.",
    tone: "warn",
  },
  torn: {
    label: "Torn line cut off",
    story: "A crash left half a line, which was cut off.",
    tone: "warn",
  },
  gap: {
    label: "Messages missing",
    story: "Some messages of the recording never came, or were taken away.",
    tone: "bad",
  },
  lost: {
    label: "Could not be held",
    story: "The format that it was imported from could not hold everything.",
    tone: "plain",
  },
};

/** A kind of note in plain words. */
export function noteKind(kind: string): NoteKind {
  return NOTE_KINDS[kind] ?? { label: kind, story: "", tone: "plain" };
}

function factWords(name: string, value: unknown): string {
  if (typeof value === "number") {
    if (name.endsWith("_bytes") || name === "bytes") {
      return `${name.replace(/_?bytes$/, "")} ${exactSize(value)}`;
    }
    if (name.endsWith("_us")) return `${name.slice(0, -3)} ${duration(value)}`;
    if (name.endsWith("_ms")) return `${name.slice(0, -3)} ${duration(value * 1000)}`;
    return `${name} ${count(value)}`;
  }
  return `${name} ${typeof value === "string" ? value : JSON.stringify(value)}`;
}

/** A note's facts on one line: "dropped 1,024 bytes, over 2.0 s". */
export function noteFacts(note: Note): string {
  return Object.entries(note.facts ?? {})
    .map(([name, value]) => factWords(name, value).replaceAll("_", " ").trim())
    .join(", ");
}

const EXPORTS: Record<string, [string, string]> = {
  tlog: ["Original lines (tlog)", "Byte-exact and chained; for steno verify and tlog-play."],
  "asciicast-v3": ["asciicast v3", "For asciinema 3 and its player."],
  "asciicast-v2": ["asciicast v2", "For older asciinema and many other players."],
  typescript: ["typescript", "For scriptreplay, with its timing file."],
  "typescript-classic": ["typescript, classic timing", "For older scriptreplay."],
  ttyrec: ["ttyrec", "For ttyplay."],
  text: ["Text", "The screen's text, without escape codes."],
  html: ["Web page", "One file with the player inside; needs no server."],
};

/** A download's name and what it is good for. */
export function exportWords(format: string): [string, string] {
  return EXPORTS[format] ?? [format, ""];
}

const HOW: Record<string, string> = {
  segments: "played it",
  live: "watched it live",
  lines: "took the original lines",
  text: "read its text",
  commands: "read its commands",
  events: "read its audit events",
  alerts: "looked at its alerts",
  event: "read an audit event",
  trail: "took an audit trail",
  export: "downloaded it",
  search: "searched",
  kill: "ended the session",
  message: "sent a message",
};

/** How somebody viewed a recording, "downloaded it (html)". */
export function viewingWords(how: string, detail: string): string {
  return (HOW[how] ?? how) + (detail ? ` (${detail})` : "");
}

/** Whose session it was: "root (logged in as avery)" when the two differ. */
export function whoWords(recording: Pick<Recording, "user" | "login_user">): string {
  const { user, login_user: login } = recording;
  return login && login !== user ? `${user} (logged in as ${login})` : user;
}

const ROLES: Record<Role, string> = {
  admin: "administrator; sees all recordings, and lets in people and hosts",
  auditor: "auditor; sees all recordings",
  user: "user; sees only their own recordings",
};

/** What a role may do. */
export function roleWords(role: Role): string {
  return ROLES[role] ?? role;
}

/** Whether a token still works. */
export function tokenSaying(token: Token, nowUnixUs: number): Saying {
  if (token.revoked_unix_us) {
    return { text: "revoked", tone: "plain", more: "It was revoked and is refused." };
  }
  if (token.expires_unix_us && token.expires_unix_us <= nowUnixUs) {
    return { text: "expired", tone: "plain", more: "Its time is over and it is refused." };
  }
  return { text: "works", tone: "ok", more: "Whoever has it may do what its user may do." };
}
