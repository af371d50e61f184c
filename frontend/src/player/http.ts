/** A recording behind Steno's HTTP API. */
import type {
  RecordingDamage,
  RecordingNote,
  Segment,
  SegmentIndex,
  Verification,
} from "./public.ts";
import {
  checkIndex,
  checkSegment,
  type Details,
  type Download,
  isEvent,
  type LiveListener,
  type RecordingSource,
  type SearchHit,
  type SearchResult,
  SourceError,
} from "./source.ts";

const FORMATS: readonly [format: string, label: string][] = [
  ["tlog", "Original lines (tlog JSON, evidence)"],
  ["asciicast-v3", "asciicast v3"],
  ["asciicast-v2", "asciicast v2"],
  ["typescript", "typescript with timing"],
  ["ttyrec", "ttyrec"],
  ["text", "Clean text"],
  ["html", "Web page with player"],
];

/** Hits fetched for one search; more would only clutter the timeline. */
const MAX_HITS = 2000;
const HITS_A_PAGE = 200;

interface Problem {
  title?: string;
  detail?: string;
  position?: number;
}

interface HitJson {
  at_us: number | null;
  text: string | null;
  highlights: [number, number][];
}

async function problemOf(response: Response): Promise<SourceError> {
  const isJson = response.headers.get("content-type")?.includes("json");
  const problem: Problem = isJson ? await response.json().catch(() => ({})) : {};
  const text = problem.detail ?? problem.title ?? response.statusText;
  return new SourceError(text || `status ${response.status}`, response.status, problem.position);
}

export class HttpSource implements RecordingSource {
  private readonly base: string;
  private urls: (string | undefined)[] = [];
  private exports: string[] | null = null;

  /** @param src The recording's address in the API; relative ones stand in the document's. */
  constructor(src: string) {
    this.base = new URL(src, document.baseURI).href.replace(/\/+$/, "");
  }

  async index(): Promise<SegmentIndex> {
    const index = checkIndex(await this.json("/segments"));
    this.urls = index.segments.map((segment) => segment.url);
    return index;
  }

  async segment(number: number, signal: AbortSignal): Promise<Segment> {
    const url = new URL(this.urls[number] ?? `segments/${number}`, `${this.base}/segments`);
    if (url.origin !== new URL(this.base).origin) {
      throw new SourceError("a segment's address leads to another server");
    }
    return checkSegment(await this.fetchJson(url.href, signal));
  }

  async details(): Promise<Details> {
    const [recording, activity, notes, verification] = await Promise.all([
      this.json<{ is_live?: boolean; exports?: string[] }>(""),
      this.optional<{ buckets: [number, number][] }>("/activity"),
      this.optional<{ notes: RecordingNote[]; damages: RecordingDamage[] }>("/notes"),
      this.optional<Verification>("/verification"),
    ]);
    this.exports = recording.exports ?? null;
    return {
      isLive: recording.is_live ?? false,
      activity: activity?.buckets ?? [],
      notes: notes?.notes ?? [],
      damages: notes?.damages ?? [],
      verification,
    };
  }

  async search(query: string, signal: AbortSignal): Promise<SearchResult> {
    const hits: SearchHit[] = [];
    let cursor: string | null = null;
    do {
      const parameters = new URLSearchParams({ q: query, limit: String(HITS_A_PAGE) });
      if (cursor) parameters.set("cursor", cursor);
      const page: { items: HitJson[]; cursor: string | null } = await this.json(
        `/search?${parameters}`,
        signal,
      );
      for (const { at_us, text, highlights } of page.items) {
        if (at_us !== null) hits.push({ at: at_us / 1e6, text: text ?? "", highlights });
      }
      cursor = page.cursor;
    } while (cursor && hits.length < MAX_HITS);
    return { hits: hits.sort((a, b) => a.at - b.at), isComplete: cursor === null };
  }

  async text(): Promise<string> {
    const response = await this.request(`${this.base}/text`, { headers: { Accept: "text/plain" } });
    return response.text();
  }

  downloads(): Download[] {
    return FORMATS.filter(([format]) => this.exports?.includes(format) ?? true).map(
      ([format, label]) => ({ label, href: `${this.base}/export?format=${format}` }),
    );
  }

  live = (after: number, listener: LiveListener): (() => void) => {
    const from_us = Math.round(after * 1e6) + 1;
    const events = new EventSource(`${this.base}/live?from_us=${from_us}`);
    events.addEventListener("open", () => listener.connection(true));
    events.addEventListener("error", () => {
      if (events.readyState === EventSource.CLOSED) listener.refused();
      else listener.connection(false);
    });
    events.addEventListener("pieces", (event: MessageEvent<string>) => {
      const { events: pieces, duration } = JSON.parse(event.data);
      listener.pieces(Array.isArray(pieces) ? pieces.filter(isEvent) : [], Number(duration) || 0);
    });
    events.addEventListener("end", () => {
      events.close();
      listener.end();
    });
    return () => events.close();
  };

  private json<T>(path: string, signal?: AbortSignal): Promise<T> {
    return this.fetchJson<T>(this.base + path, signal);
  }

  /** What the player can do without: null when it cannot be had. */
  private optional<T>(path: string): Promise<T | null> {
    return this.json<T>(path).catch(() => null);
  }

  private async fetchJson<T>(url: string, signal?: AbortSignal): Promise<T> {
    const response = await this.request(url, {
      headers: { Accept: "application/json" },
      ...(signal ? { signal } : {}),
    });
    try {
      return await response.json();
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new SourceError("the server's answer is not JSON", response.status);
    }
  }

  private async request(url: string, options: RequestInit): Promise<Response> {
    let response: Response;
    try {
      response = await fetch(url, { credentials: "same-origin", ...options });
    } catch (error) {
      if (options.signal?.aborted) throw error;
      throw new SourceError("the server cannot be reached");
    }
    if (!response.ok) throw await problemOf(response);
    return response;
  }
}
