/**
 * The element's public interface: what a page may rely on. Types only, so that importing it
 * bundles nothing; the element itself comes from player.js.
 */

/** One event of a segment: seconds since the recording's start, a code, its data. */
export type SegmentEvent = [at: number, code: string, data: string];

/** The index of a recording: asciinema-player's `segmented` schema, version 1. */
export interface SegmentIndex {
  version: 1;
  duration: number;
  term: { cols: number; rows: number };
  segments: { start: number; url?: string }[];
  markers?: [at: number, label: string][];
}

/** A stretch of a recording, and the screen that it starts from. */
export interface Segment {
  snapshot: { cols: number; rows: number; init: string };
  events: SegmentEvent[];
}

/** One line of the screen's text. */
export interface TextLine {
  number: number;
  at_us: number;
  text: string;
}

/** What a recording's chain proves; the server's `Verification`. */
export interface Verification {
  state: "complete" | "so_far" | "broken" | "unchained";
  lines: number;
  head?: string | null;
  broken_line?: number | null;
  broken_offset_bytes?: number | null;
  reason?: string | null;
}

/** Something that happened to the recording: a drop, a gap, a restart … */
export interface RecordingNote {
  at_us: number;
  kind: string;
  facts: Record<string, unknown>;
}

/** A stretch of the recording that could not be read. */
export interface RecordingDamage {
  line: number;
  offset_bytes: number;
  length_bytes: number;
  reason: string;
  /** When: the last readable message's instant. */
  at_us?: number;
}

/** A command that ran: an item of the server's list of commands, of which the player reads these. */
export interface RanCommand {
  at_us: number;
  text: string;
  number?: number;
  /** The number of what it belongs to: the shell, the typed line, the program that ran it. */
  parent?: number | null;
  kind?: "shell" | "line" | "program" | "subshell";
  origin?: "typed" | "script" | "other";
  /** When it ended; null or missing when that is not known. */
  end_us?: number | null;
  exit_status?: number | null;
  signal?: number | null;
}

/** A lane of the timeline below the commands: what the system did, by kind. */
export type LaneKind = "typed" | "files" | "network" | "privileges" | "denials" | "alerts";

/** What happened of one kind in a short stretch of time, and the first one's sentence. */
export interface LaneStretch {
  first_us: number;
  last_us: number;
  events: number;
  failures: number;
  text: string;
  /** How many marks it is worth, where that is not `events`: what says the same is one. */
  marks?: number;
}

/** What the system did meanwhile, for the timeline; each member may be missing. */
export interface TrailData {
  commands?: readonly RanCommand[];
  lanes?: Partial<Record<LaneKind, readonly LaneStretch[]>>;
}

/** A whole recording in one object, for pages without a server. */
export interface RecordingData {
  index: SegmentIndex;
  /** One for each entry of `index.segments`. */
  segments: Segment[];
  /** The screen's text, for searching and copying. */
  text?: TextLine[];
  /** Output bytes per second of recording time. */
  activity?: [second: number, bytes: number][];
  notes?: RecordingNote[];
  damages?: RecordingDamage[];
  verification?: Verification;
  /** What the system did; its commands take the place of `index.markers`. */
  trail?: TrailData;
}

/** What the events of `<steno-player>` carry in `detail`. */
export interface StenoPlayerEventDetails {
  /** The recording's index is there; playing and seeking work. */
  "steno-ready": { duration: number };
  /** The shown instant changed (at most four times a second while playing). */
  "steno-time": { time: number; duration: number };
  /** Playing started or stopped. */
  "steno-state": { playing: boolean; live: boolean };
  /** What the chain proves was computed anew, as the player shows it. */
  "steno-verification": { verification: Verification };
  /** Somebody pointed at something in a lane of the timeline; the player has gone there. */
  "steno-lane": { kind: LaneKind | "commands"; from_us: number; to_us: number };
  /** Something failed; the player shows `message` too. */
  "steno-error": { message: string; status?: number };
}

/** The element `<steno-player>`. All times are seconds since the recording's start. */
export interface StenoPlayerElement extends HTMLElement {
  /** Base address of a recording in the API, ".../api/v1/recordings/REC". */
  src: string;
  /** A whole recording, instead of `src`. */
  data: RecordingData | null;
  /** What the system did meanwhile: commands and lanes of the timeline; set anew as it grows. */
  trail: TrailData | null;
  /** The shown instant; setting it seeks. */
  currentTime: number;
  readonly duration: number;
  readonly paused: boolean;
  readonly live: boolean;
  /** 1/16 to 16. */
  speed: number;
  /** The longest pause, in seconds of the recording; Infinity plays pauses in full. */
  idleLimit: number;
  /** Resolves once the recording's first instant is on the screen. */
  whenReady(): Promise<void>;
  play(): Promise<void>;
  pause(): void;
  /** Show the instant `time`; resolves when the screen stands there. */
  seek(time: number): Promise<void>;
  /** Play the next piece only. */
  step(): Promise<void>;
  /** Go to the end of a live recording and stay there. */
  follow(): Promise<void>;
  /** Search and go to the first hit at or after the current time; resolves to the number of hits. */
  find(query: string): Promise<number>;
  /** The screen's text as it stands, rows joined by newlines. */
  screenText(): string;
}

declare global {
  interface HTMLElementTagNameMap {
    "steno-player": StenoPlayerElement;
  }
}
