/** A recording that stands in the page itself. */
import { visibleText } from "./cells.ts";
import { Emulator } from "./emulator.ts";
import { findAll } from "./find.ts";
import type { RecordingData, Segment, SegmentEvent, SegmentIndex } from "./public.ts";
import {
  checkIndex,
  checkSegment,
  type Details,
  type Download,
  type RecordingSource,
  type SearchHit,
  type SearchResult,
  SourceError,
} from "./source.ts";
import { activityOf } from "./timeline.ts";

export class InlineSource implements RecordingSource {
  readonly live = null;
  private readonly segments: Segment[];
  private readonly content: SegmentIndex;

  /** @throws SourceError when `data` is no recording. */
  constructor(private readonly data: RecordingData) {
    this.content = checkIndex(data.index);
    if (!Array.isArray(data.segments) || data.segments.length !== data.index.segments.length) {
      throw new SourceError("the page's segments are not those of its index");
    }
    this.segments = data.segments.map(checkSegment);
  }

  async index(): Promise<SegmentIndex> {
    return this.content;
  }

  async segment(number: number): Promise<Segment> {
    const segment = this.segments[number];
    if (!segment) throw new SourceError(`there is no segment ${number}`);
    return segment;
  }

  async details(): Promise<Details> {
    const { activity, notes, damages, verification } = this.data;
    return {
      isLive: false,
      activity: activity ?? activityOf(this.segments.flatMap((segment) => segment.events)),
      notes: notes ?? [],
      damages: damages ?? [],
      verification: verification ?? null,
    };
  }

  async search(query: string): Promise<SearchResult> {
    const lines = await this.lines();
    const hits: SearchHit[] = [];
    for (const { at, text } of lines) {
      const highlights = findAll(text, query);
      if (highlights.length > 0) hits.push({ at, text, highlights });
    }
    return { hits, isComplete: true };
  }

  async text(): Promise<string> {
    return (await this.lines()).map((line) => line.text).join("\n");
  }

  downloads(): Download[] {
    return [];
  }

  private async lines(): Promise<{ at: number; text: string }[]> {
    if (this.data.text) {
      return this.data.text.map((line) => ({
        at: line.at_us / 1e6,
        text: visibleText(line.text),
      }));
    }
    return linesShown(this.segments);
  }
}

/**
 * Each line that stood on the screen at the end of a burst of output, when it came first.
 *
 * Used when the page brings no text: coarser than the server's, which sees every line.
 */
export async function linesShown(
  segments: readonly Segment[],
): Promise<{ at: number; text: string }[]> {
  const found: { at: number; text: string }[] = [];
  let before = new Set<string>();
  for (const segment of segments) {
    const emulator = await Emulator.from(segment.snapshot);
    for (const burst of burstsOf(segment.events)) {
      await emulator.feed(burst);
      const at = burst.at(-1)?.[0] ?? 0;
      const rows = emulator.text().split("\n");
      for (const text of rows) if (text && !before.has(text)) found.push({ at, text });
      before = new Set(rows);
    }
    emulator.close();
  }
  return found;
}

/** Cut events where nothing happened for 50 ms, or after a screenful. */
function burstsOf(events: readonly SegmentEvent[]): SegmentEvent[][] {
  const bursts: SegmentEvent[][] = [];
  let length = 0;
  for (const event of events) {
    const burst = bursts.at(-1);
    const last = burst?.at(-1);
    if (burst && last && event[0] - last[0] < 0.05 && length < 1000) burst.push(event);
    else {
      bursts.push([event]);
      length = 0;
    }
    length += event[2].length;
  }
  return bursts;
}
