/** The lanes below the timeline's graph: a drawing of a few paths, however much happened. */
import { make, makeSvg } from "./dom.ts";
import {
  type Cluster,
  clustersOf,
  LANES,
  type Lane,
  type LaneName,
  lanePaths,
  marksOf,
  nearestCluster,
  spansPath,
  stretchesOf,
} from "./lanes.ts";
import type { LaneStretch, TrailData } from "./public.ts";

/** As player.css has it. */
const LANE_PX = 10;
const CLUSTER_GAP_PX = 3;
/** How near the pointer must be to a cluster. */
const REACH_PX = 6;

interface Drawn {
  lane: Lane;
  svg: SVGSVGElement;
  stretches: readonly LaneStretch[];
  clusters: Cluster[];
}

export class LanesView {
  readonly element = make("div", { class: "lanes" });
  /** Stands beside the timeline; what a screen reader tells of all lanes. */
  readonly names = make("div", { class: "lane-names", role: "img", hidden: true });
  private trail: TrailData = {};
  private drawn: Drawn[] = [];

  setTrail(trail: TrailData | null): void {
    this.trail = trail ?? {};
    this.drawn = LANES.map((lane) => ({
      lane,
      stretches: stretchesOf(this.trail, lane.name),
      svg: makeSvg("0 0 1 1", { class: `lane of-${lane.name}`, preserveAspectRatio: "none" }),
      clusters: [],
    })).filter(({ stretches }) => stretches.length > 0);
    this.element.replaceChildren(...this.drawn.map(({ svg }) => svg));
    this.names.replaceChildren(...this.drawn.map(({ lane }) => make("span", {}, lane.label)));
    this.names.hidden = this.drawn.length === 0;
    this.names.setAttribute("aria-label", this.summary());
  }

  has(name: LaneName): boolean {
    return this.drawn.some(({ lane }) => lane.name === name);
  }

  layOut(duration: number, width: number): void {
    for (const drawn of this.drawn) {
      const { lane, svg, stretches } = drawn;
      drawn.clusters = clustersOf(stretches, duration, CLUSTER_GAP_PX / width);
      const { good, bad } = lanePaths(drawn.clusters, duration, width, LANE_PX);
      const spans =
        lane.name === "commands"
          ? spansPath(this.trail.commands ?? [], duration, width, LANE_PX)
          : "";
      const fresh = makeSvg(`0 0 ${width} ${LANE_PX}`, {}, spans, good, bad);
      const [spansDrawn, , badDrawn] = fresh.children;
      spansDrawn?.setAttribute("class", "spans");
      badDrawn?.setAttribute("class", "failed");
      svg.setAttribute("viewBox", `0 0 ${width} ${LANE_PX}`);
      svg.replaceChildren(...fresh.children);
    }
  }

  /** What stands at a place of the page; null when it is in no lane, or nothing is near. */
  at(clientY: number, time: number, duration: number, width: number): [Lane, Cluster] | null {
    const found = this.drawn.find(({ svg }) => {
      const { top, bottom } = svg.getBoundingClientRect();
      return clientY >= top && clientY < bottom;
    });
    if (!found) return null;
    const cluster = nearestCluster(found.clusters, time, (REACH_PX / width) * duration);
    return cluster && [found.lane, cluster];
  }

  private summary(): string {
    const parts = this.drawn.map(({ lane, stretches }) => {
      const count = stretches.reduce((sum, stretch) => sum + marksOf(stretch), 0);
      return `${count} ${count === 1 ? lane.one : lane.many}`;
    });
    return `What the system did: ${parts.join(", ")}`;
  }
}
