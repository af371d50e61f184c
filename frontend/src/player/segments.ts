/** Keeps segments that were fetched, up to a limit, and never fetches one twice at a time. */
import type { Segment } from "./public.ts";

export type LoadSegment = (number: number, signal: AbortSignal) => Promise<Segment>;

interface Entry {
  segment: Promise<Segment>;
  loaded: Segment | null;
  size: number;
  abort: AbortController;
  isPrefetch: boolean;
}

/** Characters that a segment holds: the measure of the limit. */
export function sizeOf(segment: Segment): number {
  return segment.events.reduce(
    (sum, event) => sum + event[2].length + 24,
    segment.snapshot.init.length,
  );
}

export class SegmentCache {
  /** In order of use, the least recently used first. */
  private readonly entries = new Map<number, Entry>();

  /**
   * @param load Fetches one segment.
   * @param limit Characters to keep; the segment in use is kept even when it is larger alone.
   */
  constructor(
    private readonly load: LoadSegment,
    private readonly limit = 24_000_000,
  ) {}

  /** The segment if it is here already, without waiting. */
  peek(number: number): Segment | null {
    return this.entries.get(number)?.loaded ?? null;
  }

  /** The segment, fetched when needed. Rejects as `load` does; a failed segment is asked for again. */
  get(number: number): Promise<Segment> {
    const entry = this.entries.get(number) ?? this.fetch(number);
    entry.isPrefetch = false;
    this.entries.delete(number);
    this.entries.set(number, entry);
    return entry.segment;
  }

  /** Fetch `number` for later; a failure shows when it is asked for. */
  prefetch(number: number): void {
    if (this.entries.has(number)) return;
    const entry = this.fetch(number);
    entry.isPrefetch = true;
    entry.segment.catch(() => undefined);
  }

  /** End the prefetches that a seek to segment `wanted` makes useless: it needs the line more. */
  cancelPrefetches(wanted: number): void {
    // Where that is here already, the one after it is what the line is for.
    const last = this.peek(wanted) ? wanted + 1 : wanted;
    for (const [number, entry] of this.entries) {
      const isUseful = number >= wanted && number <= last;
      if (entry.isPrefetch && !entry.loaded && !isUseful) this.drop(number);
    }
  }

  /** Forget one segment (a live one that grew), or all. */
  forget(number?: number): void {
    const numbers = number === undefined ? [...this.entries.keys()] : [number];
    for (const each of numbers) this.drop(each);
  }

  /** Characters kept now. */
  get size(): number {
    let sum = 0;
    for (const entry of this.entries.values()) sum += entry.size;
    return sum;
  }

  private drop(number: number): void {
    const entry = this.entries.get(number);
    if (entry && !entry.loaded) entry.abort.abort();
    this.entries.delete(number);
  }

  private fetch(number: number): Entry {
    const abort = new AbortController();
    const entry: Entry = {
      segment: this.load(number, abort.signal),
      loaded: null,
      size: 0,
      abort,
      isPrefetch: false,
    };
    this.entries.set(number, entry);
    entry.segment.then(
      (segment) => {
        entry.loaded = segment;
        entry.size = sizeOf(segment);
        this.evict(number);
      },
      () => {
        if (this.entries.get(number) === entry) this.entries.delete(number);
      },
    );
    return entry;
  }

  private evict(keep: number): void {
    let size = this.size;
    for (const [number, entry] of this.entries) {
      if (size <= this.limit) return;
      if (number === keep || !entry.loaded) continue;
      size -= entry.size;
      this.entries.delete(number);
    }
  }
}
