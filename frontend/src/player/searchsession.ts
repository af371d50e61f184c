/** One search in the recording: its hits, and which of them is shown. */
import { termsOf } from "./find.ts";
import { hitMarks } from "./marks.ts";
import type { SearchBar } from "./searchbar.ts";
import { type RecordingSource, type SearchHit, SourceError } from "./source.ts";
import type { Mark } from "./timeline.ts";

export interface SearchSessionListener {
  goTo(time: number): Promise<void>;
  /** Other hits, other marks. */
  changed(): void;
}

export class SearchSession {
  marks: Mark[] = [];
  /** Words to mark on the screen. */
  terms: string[] = [];
  private hits: SearchHit[] = [];
  private isComplete = true;
  private current = -1;
  private abort: AbortController | null = null;

  constructor(
    private readonly source: RecordingSource,
    private readonly bar: SearchBar,
    private readonly listener: SearchSessionListener,
  ) {}

  /** Search, and go to the first hit at or after `from`; returns the number of hits. */
  async find(query: string, from: number): Promise<number> {
    this.stop();
    const abort = new AbortController();
    this.abort = abort;
    this.take([], true);
    if (query.trim() === "") return 0;
    this.bar.setCount("searching …");
    try {
      const result = await this.source.search(query, abort.signal);
      if (abort.signal.aborted) return 0;
      this.take(result.hits, result.isComplete);
    } catch (error) {
      if (!abort.signal.aborted) this.fail(error);
      return 0;
    }
    this.showCount();
    const after = this.hits.findIndex((hit) => hit.at >= from);
    if (this.hits.length > 0) await this.show(Math.max(0, after));
    return this.hits.length;
  }

  /** Go to the next (1) or previous (-1) hit as seen from `time`; round the end. */
  async step(by: 1 | -1, time: number): Promise<void> {
    const { hits } = this;
    if (hits.length === 0) return;
    const isHere = Math.abs((hits[this.current]?.at ?? Number.NaN) - time) < 0.001;
    if (isHere) return this.show((this.current + by + hits.length) % hits.length);
    const next =
      by === 1
        ? hits.findIndex((hit) => hit.at > time)
        : hits.findLastIndex((hit) => hit.at < time);
    await this.show(next >= 0 ? next : by === 1 ? 0 : hits.length - 1);
  }

  clear(): void {
    this.stop();
    this.take([], true);
  }

  stop(): void {
    this.abort?.abort();
    this.abort = null;
  }

  private take(hits: SearchHit[], isComplete: boolean): void {
    this.hits = hits;
    this.isComplete = isComplete;
    this.current = -1;
    this.marks = hitMarks(hits);
    this.terms = termsOf(hits);
    this.bar.setCount("");
    this.listener.changed();
  }

  private async show(number: number): Promise<void> {
    const hit = this.hits[number];
    if (!hit) return;
    this.current = number;
    this.showCount();
    await this.listener.goTo(hit.at);
  }

  private showCount(): void {
    const total = `${this.hits.length}${this.isComplete ? "" : "+"}`;
    if (this.hits.length === 0) this.bar.setCount("no hits");
    else this.bar.setCount(`${this.current + 1} of ${total}`);
  }

  private fail(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    const at = error instanceof SourceError ? error.position : undefined;
    this.bar.setCount(at === undefined ? message : `${message} (at ${at + 1})`, true);
  }
}
