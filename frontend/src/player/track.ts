/** Playing as arithmetic: which events fall due while some recording time passes. */
import { advance } from "./clock.ts";
import type { Segment, SegmentEvent } from "./public.ts";
import type { Position } from "./seek.ts";

export interface Track {
  /** Where each segment starts. */
  starts: readonly number[];
  duration: number;
  /** A segment that is here; null while it is being fetched. */
  segment(number: number): Segment | null;
}

export interface PlayPoint {
  position: Position;
  time: number;
  /** The last event's instant, or the last seek's: pauses are measured from here. */
  pauseSince: number;
}

export interface Played {
  point: PlayPoint;
  events: SegmentEvent[];
  /** `waiting`: the segment at the new point must be fetched first. */
  status: "playing" | "waiting" | "ended";
}

/** What is due next: an event, the next segment's begin, or the end. */
interface Due {
  at: number;
  event: SegmentEvent | null;
  isEnd: boolean;
}

function dueAt(track: Track, segment: Segment, position: Position): Due {
  const event = segment.events[position.event] ?? null;
  if (event) return { at: event[0], event, isEnd: false };
  const next = track.starts[position.segment + 1];
  return { at: next ?? track.duration, event: null, isEnd: next === undefined };
}

/** Let `budget` seconds of recording time pass from `from`; pure. */
export function playFor(track: Track, from: PlayPoint, budget: number, idleLimit: number): Played {
  const events: SegmentEvent[] = [];
  let { time, pauseSince } = from;
  let position = from.position;
  let left = budget;
  const result = (status: Played["status"]): Played => ({
    point: { position, time, pauseSince },
    events,
    status,
  });
  for (;;) {
    const segment = track.segment(position.segment);
    if (!segment) return result("waiting");
    const due = dueAt(track, segment, position);
    const step = advance(time, left, pauseSince, due.at, idleLimit);
    ({ time, left } = step);
    if (time < due.at) return result("playing");
    if (due.event) {
      events.push(due.event);
      pauseSince = due.at;
      position = { segment: position.segment, event: position.event + 1 };
    } else if (due.isEnd) return result("ended");
    else position = { segment: position.segment + 1, event: 0 };
  }
}
