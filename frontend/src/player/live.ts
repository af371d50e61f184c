/** Follows a recording while it is being made. */
import type { Playback } from "./playback.ts";
import type { Segment } from "./public.ts";
import type { RecordingSource } from "./source.ts";

/** After so many live characters a newer index is taken: its keyframes make seeking quick again. */
const MAX_LIVE_LENGTH = 1_000_000;

export interface LiveFollowerListener {
  connection(state: "up" | "lost" | null): void;
  /** Take the index anew; `isLive` false: the recording has ended. */
  reload(isLive: boolean): Promise<void>;
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

  /** Listen from the end of `last` on: the growing segment that the playback has. */
  start(last: Segment): void {
    this.stop();
    const listen = this.source.live;
    if (!listen) return;
    this.cancel = listen(last, {
      pieces: (events, duration) => {
        this.playback.append(events, duration);
        if (this.playback.liveLength > MAX_LIVE_LENGTH) this.reload(true);
      },
      end: () => this.reload(false),
      connection: (isUp) => this.listener.connection(isUp ? "up" : "lost"),
    });
    this.listener.connection("up");
  }

  stop(): void {
    this.cancel?.();
    this.cancel = null;
    this.listener.connection(null);
  }

  private reload(isLive: boolean): void {
    this.stop();
    this.listener.reload(isLive).catch(() => this.listener.connection("lost"));
  }
}
