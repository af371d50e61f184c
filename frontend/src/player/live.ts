/** Follows a recording while it is being made. */
import type { Playback } from "./playback.ts";
import type { SegmentEvent } from "./public.ts";
import type { RecordingSource } from "./source.ts";

/** After so many live characters a newer index is taken: its keyframes make seeking quick again. */
const MAX_LIVE_LENGTH = 1_000_000;

/** After being refused, or failing to begin, it is tried again after so long. */
const RETRY_MS = 5000;

export interface LiveFollowerListener {
  connection(state: "up" | "lost" | null): void;
  /** These events came, and are played. */
  came(events: readonly SegmentEvent[]): void;
  /** Take the index anew, and start again from its end: much has come, or was missed. */
  reload(): Promise<void>;
  /** The recording has ended. */
  end(): Promise<void>;
}

/**
 * Listens to a recording from `start` to `stop`, but only while somebody sees the page: browsers
 * open six connections to a server, over all of their tabs, and each listener holds one.
 */
export class LiveFollower {
  private cancel: (() => void) | null = null;
  private retryTimer = 0;
  private isStarted = false;
  /** Counts starts and stops; what an older turn began ends unseen. */
  private turn = 0;

  constructor(
    private readonly source: RecordingSource,
    private readonly playback: Playback,
    private readonly listener: LiveFollowerListener,
  ) {}

  get isOn(): boolean {
    return this.isStarted;
  }

  /** Listen to what comes later than `after` seconds: the end of what the playback has. */
  start(after: number): void {
    this.stop();
    const listen = this.source.live;
    if (!listen) return;
    this.isStarted = true;
    document.addEventListener("visibilitychange", this.onVisibility);
    this.listener.connection("up");
    if (document.visibilityState === "hidden") return;
    this.cancel = listen(after, {
      pieces: (events, duration) => {
        this.playback.append(events, duration);
        this.listener.came(events);
        if (this.playback.liveLength > MAX_LIVE_LENGTH) this.restart();
      },
      end: () => {
        this.stop();
        this.listener.end().catch(() => this.listener.connection("lost"));
      },
      connection: (isUp) => this.listener.connection(isUp ? "up" : "lost"),
      refused: () => this.retryLater(),
    });
  }

  stop(): void {
    this.turn++;
    this.isStarted = false;
    document.removeEventListener("visibilitychange", this.onVisibility);
    this.release();
    this.listener.connection(null);
  }

  private release(): void {
    window.clearTimeout(this.retryTimer);
    this.cancel?.();
    this.cancel = null;
  }

  private readonly onVisibility = (): void => {
    if (document.visibilityState === "hidden") this.release();
    else this.restart();
  };

  private restart(): void {
    this.release();
    const { turn } = this;
    this.listener.reload().catch(() => {
      if (turn === this.turn) this.retryLater();
    });
  }

  private retryLater(): void {
    this.release();
    this.listener.connection("lost");
    this.retryTimer = window.setTimeout(() => this.restart(), RETRY_MS);
  }
}
