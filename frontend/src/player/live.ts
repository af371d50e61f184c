/** Follows a recording while it is being made. */
import type { Playback } from "./playback.ts";
import type { RecordingSource } from "./source.ts";

/** After so many live characters a newer index is taken: its keyframes make seeking quick again. */
const MAX_TAIL_LENGTH = 1_000_000;

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

  /** Listen from `after` seconds on: the duration of the index that the playback has. */
  start(after: number): void {
    this.stop();
    const listen = this.source.live;
    if (!listen) return;
    this.cancel = listen(after, {
      pieces: (events, duration) => {
        this.playback.append(events, duration);
        if (this.playback.tailLength > MAX_TAIL_LENGTH) this.reload(true);
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
