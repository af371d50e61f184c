/** Where to start so that a given instant is on the screen soonest. */
import type { SegmentEvent } from "./public.ts";

/** What has been played: events before `event` of segment `segment`. */
export interface Position {
  segment: number;
  event: number;
}

export interface SeekPlan {
  segment: number;
  /** Start from the segment's keyframe; else go on from where the terminal stands. */
  fromKeyframe: boolean;
}

/** The number of the segment that holds `time`: the last that starts at or before it. */
export function segmentAt(starts: readonly number[], time: number): number {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((starts[middle] ?? 0) <= time) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** How many of `events` happened at or before `time`. */
export function eventsUpTo(events: readonly SegmentEvent[], time: number): number {
  let low = 0;
  let high = events.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((events[middle]?.[0] ?? 0) <= time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Plan the way to `time`.
 *
 * @param at Where the terminal stands; null when its state is not known.
 * @param playedUpTo The instant that it shows.
 */
export function planSeek(
  starts: readonly number[],
  at: Position | null,
  playedUpTo: number,
  time: number,
): SeekPlan {
  const segment = segmentAt(starts, time);
  const canGoOn = at !== null && at.segment === segment && playedUpTo <= time;
  return { segment, fromKeyframe: !canGoOn };
}
