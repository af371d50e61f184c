/** The timeline's arithmetic: instants to places, activity to bars, marks to groups, ticks. */
import type { SegmentEvent } from "./public.ts";

export type Mark = { at: number; label: string; kind: MarkKind };
export type MarkKind = "command" | "note" | "damage" | "hit";
export type Activity = readonly (readonly [second: number, bytes: number])[];

/** The part of the way, 0 to 1, where `time` lies. */
export function fractionOf(time: number, duration: number): number {
  return duration > 0 ? Math.min(1, Math.max(0, time / duration)) : 0;
}

/** Output per second, from events; in characters, which is near enough for a graph. */
export function activityOf(events: readonly SegmentEvent[]): [number, number][] {
  const sums = new Map<number, number>();
  for (const [at, code, data] of events) {
    const second = Math.floor(at);
    if (code === "o") sums.set(second, (sums.get(second) ?? 0) + data.length);
  }
  return [...sums].sort((a, b) => a[0] - b[0]);
}

/**
 * Sum activity into `count` bars of equal length and scale them to 0..1.
 *
 * Logarithmic: a typed command stays visible beside a megabyte of output.
 */
export function barsOf(activity: Activity, duration: number, count: number): number[] {
  const sums = new Array<number>(count).fill(0);
  if (duration <= 0) return sums;
  for (const [second, bytes] of activity) {
    const bar = Math.min(count - 1, Math.floor((second / duration) * count));
    if (bar >= 0) sums[bar] = (sums[bar] ?? 0) + bytes;
  }
  const top = Math.log1p(Math.max(...sums));
  return sums.map((sum) => (top > 0 ? Math.log1p(sum) / top : 0));
}

/** An SVG path of the bars in a box of `bars.length` by 1, standing on the bottom line. */
export function barsPath(bars: readonly number[]): string {
  return bars
    .map((height, i) => (height > 0 ? `M${i} 1V${(1 - height).toFixed(3)}h1V1z` : ""))
    .join("");
}

export interface MarkGroup {
  /** Where it stands, 0 to 1. */
  fraction: number;
  marks: Mark[];
}

/** Put marks of one kind that would touch (nearer than `gap`, a fraction) into one group. */
export function groupMarks(marks: readonly Mark[], duration: number, gap: number): MarkGroup[] {
  const groups: MarkGroup[] = [];
  for (const mark of [...marks].sort((a, b) => a.at - b.at)) {
    const fraction = fractionOf(mark.at, duration);
    const last = groups.at(-1);
    if (last && fraction - last.fraction < gap) last.marks.push(mark);
    else groups.push({ fraction, marks: [mark] });
  }
  return groups;
}

const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400];

/** Instants for labels under the timeline: round ones, at most `count` of them. */
export function ticksOf(duration: number, count: number): number[] {
  const step = STEPS.find((each) => duration / each <= count) ?? Math.ceil(duration / count);
  const ticks: number[] = [];
  for (let at = 0; at <= duration; at += step) ticks.push(at);
  return ticks;
}

/**
 * The mark before (`by` -1) or after (1) `time`.
 *
 * @param slack Seconds within which a mark behind us counts as where we are: while playing,
 *   going back twice must not end at the same mark.
 */
export function neighbour<T extends { at: number }>(
  sorted: readonly T[],
  time: number,
  by: 1 | -1,
  slack = 0.001,
): T | null {
  if (by === 1) return sorted.find((mark) => mark.at > time + 0.001) ?? null;
  return sorted.findLast((mark) => mark.at < time - slack) ?? null;
}
