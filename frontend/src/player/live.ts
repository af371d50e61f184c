/** Follows a recording while it is being made. */
import type { Playback } from "./playback.ts";
import type { SegmentEvent } from "./public.ts";
import type { RecordingSource } from "./source.ts";

/** After so many live characters a newer index is taken: its keyframes make seeking quick again. */
const MAX_LIVE_LENGTH = 1_000_000;

export interface LiveFollowerListener {
  connection(state: "up" | "lost" | null): void;
  /** These events came, and are played. */
  came(events: readonly SegmentEvent[]): void;
  /** Take the index anew: much has come. */
  reload(): Promise<void>;
  /** The recording has ended. */
  end(): Promise<void>;
}

export class LiveFollower {
  private cancel: (() => void) | null = null;

  constructor(
    private readonly source: RecordingSource,
    private readonly playback: Playback,
    private readonly listener: LiveFollowerListener,
  ) {}

  get isOn(): boolean {
    return this.cancel !== null;
  }

  /** Listen to what comes later than `after` seconds: the end of what the playback has. */
  start(after: number): void {
    this.stop();
    const listen = this.source.live;
    if (!listen) return;
    this.cancel = listen(after, {
      pieces: (events, duration) => {
        this.playback.append(events, duration);
        this.listener.came(events);
        if (this.playback.liveLength > MAX_LIVE_LENGTH) this.stopFor(this.listener.reload);
      },
      end: () => this.stopFor(this.listener.end),
      connection: (isUp) => this.listener.connection(isUp ? "up" : "lost"),
    });
    this.listener.connection("up");
  }

  stop(): void {
    this.cancel?.();
    this.cancel = null;
    this.listener.connection(null);
  }

  private stopFor(next: () => Promise<void>): void {
    this.stop();
    next().catch(() => this.listener.connection("lost"));
  }
}
