/** The timeline: a slider over the activity's graph, with marks. */
import { make, makeSvg, setText } from "./dom.ts";
import { formatTime } from "./format.ts";
import { clusterWords, type LaneName } from "./lanes.ts";
import { LanesView } from "./lanesview.ts";
import type { TrailData } from "./public.ts";
import {
  type Activity,
  barsOf,
  barsPath,
  fractionOf,
  groupMarks,
  type Mark,
  type MarkKind,
  ticksOf,
} from "./timeline.ts";

const BARS = 240;
const MARK_GAP_PX = 4;
/** How near the pointer must be for a mark to show its label. */
const NEAR_PX = 6;
const TIP_LENGTH = 120;
const KINDS: readonly MarkKind[] = ["command", "note", "damage", "hit"];

export interface TimelineListener {
  /** The person wants this instant; called often while dragging. */
  seek(time: number): void;
  /** The person chose what happened in a lane between two instants. */
  lane(name: LaneName, from: number, to: number): void;
}

export class TimelineView {
  readonly element: HTMLElement;
  private readonly lanes = new LanesView();
  private readonly graph = makeSvg(
    `0 0 ${BARS} 1`,
    { class: "graph", preserveAspectRatio: "none" },
    "",
  );
  private readonly played = make("div", { class: "played" });
  private readonly head = make("div", { class: "head" });
  private readonly marks = make("div", { class: "marks" });
  private readonly ticks = make("div", { class: "ticks", "aria-hidden": "true" });
  private readonly tip = make("div", { class: "tip", hidden: true });
  private readonly slider: HTMLElement;
  private duration = 0;
  private shown: Mark[] = [];
  private activity: [second: number, bytes: number][] = [];
  private readonly observer = new ResizeObserver(() => this.layOut());

  constructor(private readonly listener: TimelineListener) {
    this.slider = make(
      "div",
      {
        class: "slider",
        role: "slider",
        tabindex: "0",
        "aria-label": "Instant",
        "aria-valuemin": "0",
        "aria-orientation": "horizontal",
      },
      this.graph,
      this.played,
      this.marks,
      this.lanes.element,
      this.head,
      this.tip,
    );
    this.element = make("div", { class: "timeline" }, this.lanes.names, this.slider, this.ticks);
    this.listen();
  }

  connect(): void {
    this.observer.observe(this.slider);
  }

  disconnect(): void {
    this.observer.disconnect();
  }

  setTime(time: number, duration: number): void {
    if (duration !== this.duration) {
      this.duration = duration;
      this.layOut();
    }
    const percent = `${(fractionOf(time, duration) * 100).toFixed(3)}%`;
    this.played.style.width = percent;
    this.head.style.left = percent;
    this.slider.setAttribute("aria-valuemax", duration.toFixed(1));
    this.slider.setAttribute("aria-valuenow", time.toFixed(1));
    const text = `${formatTime(time, true)} of ${formatTime(duration)}`;
    this.slider.setAttribute("aria-valuetext", text);
  }

  /** Output bytes per second of the recording. */
  setActivity(activity: Activity): void {
    this.activity = activity.map(([second, bytes]) => [second, bytes]);
    this.layOut();
  }

  /** More output came, live. */
  addActivity(activity: Activity): void {
    for (const [second, bytes] of activity) this.activity.push([second, bytes]);
    this.layOut();
  }

  setMarks(marks: readonly Mark[]): void {
    this.shown = [...marks];
    this.layOut();
  }

  /** What the system did, in lanes below the graph. */
  setTrail(trail: TrailData | null): void {
    this.lanes.setTrail(trail);
    this.layOut();
  }

  private layOut(): void {
    const width = this.slider.clientWidth || 600;
    this.lanes.layOut(this.duration, width);
    const path = this.graph.querySelector("path");
    path?.setAttribute("d", barsPath(barsOf(this.activity, this.duration, BARS)));
    // Where commands have a lane, ticks above the graph would only say the same again.
    const kinds = KINDS.filter((kind) => kind !== "command" || !this.lanes.has("commands"));
    const drawn = kinds.flatMap((kind) => {
      const ofKind = this.shown.filter((mark) => mark.kind === kind);
      return groupMarks(ofKind, this.duration, MARK_GAP_PX / width).map((group) => {
        const mark = make("i", { class: `mark ${kind}` });
        mark.style.left = `${(group.fraction * 100).toFixed(3)}%`;
        return mark;
      });
    });
    this.marks.replaceChildren(...drawn);
    const ticks = ticksOf(this.duration, Math.max(2, Math.floor(width / 90))).map((at) => {
      const tick = make("span", {}, formatTime(at));
      const fraction = fractionOf(at, this.duration);
      tick.style.left = `${(fraction * 100).toFixed(3)}%`;
      // Centred there, it would be cut off by the edge.
      tick.classList.toggle("at-end", fraction > 0.96);
      return tick;
    });
    this.ticks.replaceChildren(...ticks);
  }

  private listen(): void {
    const { slider } = this;
    slider.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      slider.setPointerCapture(event.pointerId);
      this.point(event, true);
    });
    slider.addEventListener("pointermove", (event) => {
      if (slider.hasPointerCapture(event.pointerId)) this.point(event, false);
      this.showTip(event);
    });
    slider.addEventListener("pointerleave", () => {
      this.tip.hidden = true;
    });
  }

  /** Go to where the pointer is; what it chose in a lane is told when it comes down. */
  private point(event: PointerEvent, isDown: boolean): void {
    const target = this.target(event);
    this.listener.seek(target.at);
    if (isDown && target.lane) this.listener.lane(target.lane, target.at, target.to);
  }

  /** What the pointer is at: a mark, something in a lane, or just an instant. */
  private target(event: PointerEvent): Target {
    const box = this.slider.getBoundingClientRect();
    const fraction = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    const at = fraction * this.duration;
    const inLane = this.lanes.at(event.clientY, at, this.duration, box.width);
    if (inLane) {
      const [lane, cluster] = inLane;
      const label = clusterWords(lane, cluster);
      return { fraction, at: cluster.from, to: cluster.to, label, lane: lane.name };
    }
    const mark = this.nearest(fraction, box.width);
    return { fraction, at: mark?.at ?? at, to: at, label: mark?.label ?? "", lane: null };
  }

  private nearest(fraction: number, width: number): Mark | null {
    const reach = (NEAR_PX / width) * this.duration;
    const at = fraction * this.duration;
    let best: Mark | null = null;
    for (const mark of this.shown) {
      const distance = Math.abs(mark.at - at);
      if (distance <= reach && (!best || distance < Math.abs(best.at - at))) best = mark;
    }
    return best;
  }

  private showTip(event: PointerEvent): void {
    const width = this.slider.clientWidth;
    const { at, label, fraction } = this.target(event);
    const time = formatTime(at, true);
    setText(this.tip, label ? `${time}  ${label.slice(0, TIP_LENGTH)}` : time);
    this.tip.hidden = false;
    const half = this.tip.offsetWidth / 2;
    const centre = Math.min(width - half, Math.max(half, fraction * width));
    this.tip.style.left = `${centre}px`;
  }
}

interface Target {
  fraction: number;
  at: number;
  to: number;
  label: string;
  lane: LaneName | null;
}
