/** Where a recording comes from: what the player asks for, whoever answers. */
import type {
  RecordingDamage,
  RecordingNote,
  Segment,
  SegmentEvent,
  SegmentIndex,
  Verification,
} from "./public.ts";

/** A line that a search found; instants are in seconds. */
export interface SearchHit {
  at: number;
  text: string;
  /** [start, end] in characters of `text`. */
  highlights: [number, number][];
}

/** What one search found. `isComplete` is false when there were more than the limit. */
export interface SearchResult {
  hits: SearchHit[];
  isComplete: boolean;
}

/** What stands around the recording; each is null or empty when the source has none. */
export interface Details {
  isLive: boolean;
  activity: [second: number, bytes: number][];
  notes: RecordingNote[];
  damages: RecordingDamage[];
  verification: Verification | null;
}

export interface Download {
  label: string;
  href: string;
}

/** Told what a live recording sends. */
export interface LiveListener {
  pieces(events: SegmentEvent[], duration: number): void;
  /** The recording has ended. */
  end(): void;
  /** The connection is up, or was lost and is being tried again. */
  connection(isUp: boolean): void;
  /** The connection was refused; nothing more comes. */
  refused(): void;
}

export interface RecordingSource {
  index(): Promise<SegmentIndex>;
  segment(number: number, signal: AbortSignal): Promise<Segment>;
  details(): Promise<Details>;
  search(query: string, signal: AbortSignal): Promise<SearchResult>;
  /** The whole recording's clean text. */
  text(): Promise<string>;
  downloads(): Download[];
  /** Listen to what comes later than `after` seconds in a live recording; returns what ends that. */
  live: ((after: number, listener: LiveListener) => () => void) | null;
}

/** Loading failed; `status` is HTTP's where there is one. */
export class SourceError extends Error {
  constructor(
    message: string,
    readonly status?: number,
    /** Where in a query the fault is, in characters from 0. */
    readonly position?: number,
  ) {
    super(message);
    this.name = "SourceError";
  }
}

/** Tells an event from anything else that a server or page may hold. */
export function isEvent(value: unknown): value is SegmentEvent {
  return (
    Array.isArray(value) &&
    typeof value[0] === "number" &&
    typeof value[1] === "string" &&
    typeof value[2] === "string"
  );
}

/** Take an index from outside. @throws SourceError when it is none. */
export function checkIndex(value: unknown): SegmentIndex {
  const index = value as Partial<SegmentIndex> | null;
  if (
    index?.version !== 1 ||
    typeof index.duration !== "number" ||
    !Array.isArray(index.segments) ||
    !index.segments.every((segment) => typeof segment?.start === "number")
  ) {
    throw new SourceError("the index of segments is not of version 1");
  }
  return index as SegmentIndex;
}

/** Take a segment from outside; events that are none are left out. @throws SourceError */
export function checkSegment(value: unknown): Segment {
  const segment = value as Partial<Segment> | null;
  const snapshot = segment?.snapshot;
  if (!snapshot || typeof snapshot.init !== "string" || !Array.isArray(segment.events)) {
    throw new SourceError("a segment has no snapshot or no events");
  }
  return {
    snapshot: { cols: Number(snapshot.cols), rows: Number(snapshot.rows), init: snapshot.init },
    events: segment.events.filter(isEvent),
  };
}
