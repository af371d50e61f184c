/** The lanes' arithmetic: what the system did, put into clusters that can be told apart, and drawn. */
import { visibleControls } from "./cells.ts";
import type { LaneKind, LaneStretch, RanCommand, TrailData } from "./public.ts";
import { fractionOf } from "./timeline.ts";

export type LaneName = "commands" | LaneKind;

export interface Lane {
  name: LaneName;
  /** Short: it stands beside the lane. */
  label: string;
  /** What one of its marks is. */
  one: string;
  many: string;
}

/** From top to bottom. */
export const LANES: readonly Lane[] = [
  { name: "commands", label: "Run", one: "command", many: "commands" },
  { name: "typed", label: "Typed", one: "typed line", many: "typed lines" },
  { name: "files", label: "Files", one: "file change", many: "file changes" },
  { name: "network", label: "Net", one: "connection", many: "connections" },
  { name: "privileges", label: "Rights", one: "change of rights", many: "changes of rights" },
  { name: "denials", label: "Denied", one: "denial", many: "denials" },
  { name: "alerts", label: "Alerts", one: "alert", many: "alerts" },
];

/** Marks that would touch, as one; instants in seconds. */
export interface Cluster {
  from: number;
  to: number;
  count: number;
  failures: number;
  /** The first one's words. */
  label: string;
}

/** Whether a command ended badly. */
export function hasFailed({ exit_status: status, signal }: RanCommand): boolean {
  return Boolean(status) || Boolean(signal);
}

/** What the person typed into shells: neither these, nor what a line or a program ran in turn. */
export function ownCommands(commands: readonly RanCommand[]): RanCommand[] {
  const shells = new Set<number | null | undefined>([null, undefined]);
  for (const { kind, number } of commands) if (kind === "shell") shells.add(number);
  return commands.filter(
    ({ kind, origin, parent }) =>
      kind !== "shell" && (origin ?? "typed") === "typed" && shells.has(parent),
  );
}

/** How many marks a stretch is worth: events that say the same are one. */
export function marksOf({ events, marks }: LaneStretch): number {
  return marks ?? events;
}

/** All stretches of a lane, whatever it is made from. */
export function stretchesOf(trail: TrailData, name: LaneName): readonly LaneStretch[] {
  if (name !== "commands") return trail.lanes?.[name] ?? [];
  return ownCommands(trail.commands ?? []).map((command) => ({
    first_us: command.at_us,
    last_us: command.at_us,
    events: 1,
    failures: hasFailed(command) ? 1 : 0,
    text: command.text,
  }));
}

/**
 * Put stretches that would touch into one cluster.
 *
 * @param gap How far apart they must be to be told apart: a fraction of the duration.
 */
export function clustersOf(
  stretches: readonly LaneStretch[],
  duration: number,
  gap: number,
): Cluster[] {
  const clusters: Cluster[] = [];
  const sorted = [...stretches].sort((a, b) => a.first_us - b.first_us);
  for (const stretch of sorted) {
    const { first_us, last_us, failures, text } = stretch;
    const count = marksOf(stretch);
    const last = clusters.at(-1);
    const from = first_us / 1e6;
    const to = last_us / 1e6;
    if (last && from - last.from < gap * duration) {
      last.to = Math.max(last.to, to);
      last.count += count;
      last.failures += failures;
    } else clusters.push({ from, to, count, failures, label: visibleControls(text) });
  }
  return clusters;
}

/** How high a mark of so many is, 0 to 1: one is well seen, a thousand fill the lane. */
export function heightOf(count: number): number {
  return Math.min(1, 0.55 + 0.15 * Math.log10(Math.max(1, count)));
}

/** SVG paths of a lane in a box of `width` by `height`: marks all well, and with failures. */
export function lanePaths(
  clusters: readonly Cluster[],
  duration: number,
  width: number,
  height: number,
): { good: string; bad: string } {
  const paths = { good: "", bad: "" };
  for (const { from, to, count, failures } of clusters) {
    const left = fractionOf(from, duration) * (width - 2);
    const right = fractionOf(to, duration) * (width - 2) + 2;
    const tall = heightOf(count) * height;
    const box = `M${left.toFixed(1)} ${height}v${-tall.toFixed(1)}H${right.toFixed(1)}V${height}z`;
    if (failures > 0) paths.bad += box;
    else paths.good += box;
  }
  return paths;
}

/** An SVG path of how long each of the person's commands ran. */
export function spansPath(
  commands: readonly RanCommand[],
  duration: number,
  width: number,
  height: number,
): string {
  const boxes: string[] = [];
  let drawnTo = -1;
  for (const { at_us, end_us } of ownCommands(commands)) {
    if (end_us === null || end_us === undefined) continue;
    const left = Math.max(drawnTo, fractionOf(at_us / 1e6, duration) * width);
    const right = fractionOf(end_us / 1e6, duration) * width;
    // Narrower ones show as marks; many thousands of them must not make a path of megabytes.
    if (right - left < 1) continue;
    drawnTo = right;
    boxes.push(
      `M${left.toFixed(1)} ${height}V${(height / 2).toFixed(1)}H${right.toFixed(1)}V${height}z`,
    );
  }
  return boxes.join("");
}

/** What a cluster says when pointed at. */
export function clusterWords({ one, many }: Lane, cluster: Cluster): string {
  const { count, failures, label } = cluster;
  const failed = failures > 0 && count > 1 ? `, ${failures} failed` : "";
  if (count === 1) return label || one;
  return `${count.toLocaleString("en")} ${many}${failed}: ${label} …`;
}

/** The nearest cluster to `time`, no farther than `reach` seconds; null when there is none. */
export function nearestCluster(
  clusters: readonly Cluster[],
  time: number,
  reach: number,
): Cluster | null {
  let best: Cluster | null = null;
  let bestDistance = reach;
  for (const cluster of clusters) {
    const distance = Math.max(cluster.from - time, time - cluster.to, 0);
    if (distance > bestDistance || (best && distance === bestDistance)) continue;
    best = cluster;
    bestDistance = distance;
  }
  return best;
}
