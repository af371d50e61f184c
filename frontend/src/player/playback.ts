/**
 * Plays a recording into an emulator: play, pause, seek, step, follow. Knows no DOM; the clock and
 * the frames are handed in.
 */
import { clampSpeed } from "./clock.ts";
import { Emulator } from "./emulator.ts";
import type { Segment, SegmentEvent, SegmentIndex } from "./public.ts";
import { eventsUpTo, type Position, planSeek, segmentAt } from "./seek.ts";
import { SegmentCache } from "./segments.ts";
import { type PlayPoint, playFor, type Track } from "./track.ts";

/** The time around playback. */
export interface Ticker {
  /** Seconds of a clock that never goes back. */
  now(): number;
  /** Call back at the next frame; returns what cancels it. */
  frame(callback: () => void): () => void;
}

/** Told what changed; each is called after the fact. */
export interface PlaybackListener {
  /** The emulator shows something else. */
  screen(): void;
  /** Time, duration, playing, buffering, speed or following changed. */
  state(): void;
  /** These events were played (not sought over). */
  played(events: readonly SegmentEvent[]): void;
  /** Loading failed; playing has stopped. */
  failed(error: unknown): void;
}

export type LoadSegment = (number: number, signal: AbortSignal) => Promise<Segment>;

/** A frame that took longer does not make up for it: better late than a jump. */
const MAX_FRAME_S = 0.25;

export class Playback {
  /** What is on the screen; null before the first seek. */
  emulator: Emulator | null = null;
  time = 0;
  isPlaying = false;
  isBuffering = false;
  /** At the end of a live recording, and staying there. */
  isFollowing = false;
  idleLimit = Number.POSITIVE_INFINITY;

  private rate = 1;
  private starts: number[] = [];
  private length = 0;
  /** The last segment of a recording that was live when its index was taken; it grows. */
  private growing: Segment | null = null;
  private isLive = false;
  private grownBy = 0;
  private readonly cache: SegmentCache;
  /** Where the emulator stands; null while that is changing. */
  private position: Position | null = null;
  private pauseSince = 0;
  /** Where a seek that is under way goes. */
  private goal: number | null = null;
  /** Counts what was asked for; work for an older turn ends unseen. */
  private turn = 0;
  private cancelFrame: () => void = () => undefined;
  private lastFrame = 0;

  constructor(
    load: LoadSegment,
    private readonly ticker: Ticker,
    private readonly listener: PlaybackListener,
  ) {
    this.cache = new SegmentCache(load);
  }

  get duration(): number {
    return this.length;
  }

  /** The instant that is shown, or that will be once the seek under way has arrived. */
  get destination(): number {
    return this.goal ?? this.time;
  }

  get speed(): number {
    return this.rate;
  }

  set speed(value: number) {
    this.rate = clampSpeed(value);
    this.listener.state();
  }

  /**
   * Take the recording's index; for a live one also later, when it has grown.
   *
   * @param growing A live recording's last segment, which `append` makes longer.
   */
  open(index: SegmentIndex, growing: Segment | null): void {
    this.cache.forget(this.starts.length - 1);
    this.starts = index.segments.map((segment) => segment.start);
    this.growing = growing;
    this.isLive = growing !== null;
    this.grownBy = 0;
    this.length = Math.max(index.duration, growing?.events.at(-1)?.[0] ?? 0);
    if (!growing) this.isFollowing = false;
    this.position = null;
    this.listener.state();
    if (this.isPlaying) this.start();
  }

  play(): void {
    if (this.isPlaying || this.starts.length === 0) return;
    this.isPlaying = true;
    if (!this.isLive && this.destination >= this.length) void this.seek(0);
    else this.start();
    this.listener.state();
  }

  pause(): void {
    if (!this.isPlaying && !this.isFollowing) return;
    this.isPlaying = false;
    this.isFollowing = false;
    if (this.goal === null) this.stop();
    this.listener.state();
  }

  /** Show the instant `time`; resolves when the screen does, or when a newer wish took over. */
  async seek(time: number): Promise<void> {
    this.isFollowing = false;
    await this.go(Math.min(this.length, Math.max(0, time)));
  }

  /** Go to the end of a live recording and stay there. */
  async follow(): Promise<void> {
    if (!this.isLive) return;
    this.isFollowing = true;
    this.isPlaying = true;
    await this.go(this.length);
  }

  /** Pause and play the next piece, whatever it is. */
  async step(): Promise<void> {
    this.pause();
    const next = await this.attempt(() => this.eventAfter(this.destination));
    if (next !== null) await this.go(next);
  }

  /** Pause and go back to before the last piece. */
  async stepBack(): Promise<void> {
    this.pause();
    const before = await this.attempt(() => this.twoEventsBefore(this.destination));
    if (before !== null) await this.go(before);
  }

  /** What a live recording sent: events after all that are known, and the new duration. */
  append(events: readonly SegmentEvent[], duration: number): void {
    if (!this.growing) return;
    this.growing.events.push(...events);
    this.grownBy += events.reduce((sum, event) => sum + event[2].length, 0);
    this.length = Math.max(this.length, duration, events.at(-1)?.[0] ?? 0);
    if (this.isFollowing) void this.go(this.length).then(() => this.listener.played(events));
    else this.listener.state();
  }

  /** A live recording has ended; all of it is here. Whoever followed stands at its end. */
  finish(): void {
    this.isLive = false;
    if (this.isFollowing) this.isPlaying = false;
    this.isFollowing = false;
    this.listener.state();
  }

  /** Characters that came live since the index was taken: when many, take a newer index. */
  get liveLength(): number {
    return this.grownBy;
  }

  /** Give up everything; the playback cannot be used afterwards. */
  close(): void {
    this.stop();
    this.isPlaying = false;
    this.cache.forget();
    this.emulator?.close();
  }

  private peek(number: number): Segment | null {
    const isGrowing = this.growing !== null && number === this.starts.length - 1;
    return isGrowing ? this.growing : this.cache.peek(number);
  }

  private get(number: number): Promise<Segment> {
    const growing = number === this.starts.length - 1 ? this.growing : null;
    return growing ? Promise.resolve(growing) : this.cache.get(number);
  }

  private stop(): void {
    this.turn++;
    this.goal = null;
    this.cancelFrame();
    this.setBuffering(false);
  }

  private start(): void {
    this.lastFrame = this.ticker.now();
    if (this.goal !== null || this.position === null) void this.go(this.destination);
    else this.schedule(++this.turn);
  }

  private schedule(turn: number): void {
    this.cancelFrame();
    this.cancelFrame = this.ticker.frame(() => {
      this.tick(turn).catch((error) => this.fail(turn, error));
    });
  }

  private setBuffering(value: boolean): void {
    if (this.isBuffering === value) return;
    this.isBuffering = value;
    this.listener.state();
  }

  private fail(turn: number, error: unknown): void {
    if (turn !== this.turn) return;
    this.goal = null;
    this.isPlaying = false;
    this.isFollowing = false;
    this.setBuffering(false);
    this.listener.failed(error);
    this.listener.state();
  }

  private async go(time: number): Promise<void> {
    const turn = ++this.turn;
    this.goal = time;
    this.cancelFrame();
    try {
      await this.arrive(turn, time);
    } catch (error) {
      this.fail(turn, error);
    }
  }

  private async arrive(turn: number, time: number): Promise<void> {
    const plan = planSeek(this.starts, this.position, this.time, time);
    this.cache.cancelPrefetches(plan.segment);
    const segment = await this.load(turn, plan.segment);
    if (!segment) return;
    const from = plan.fromKeyframe ? 0 : (this.position?.event ?? 0);
    const upTo = eventsUpTo(segment.events, time);
    this.position = null;
    const emulator =
      plan.fromKeyframe || !this.emulator ? await Emulator.from(segment.snapshot) : this.emulator;
    await emulator.feed(segment.events.slice(from, upTo));
    if (turn !== this.turn) {
      if (emulator !== this.emulator) emulator.close();
      return;
    }
    this.show(emulator);
    this.goal = null;
    this.time = time;
    this.pauseSince = time;
    this.position = { segment: plan.segment, event: upTo };
    this.prefetch(plan.segment);
    this.listener.screen();
    this.listener.state();
    if (this.isPlaying && !this.isFollowing) this.start();
  }

  /** The segment, or null when a newer wish took over while it was fetched. */
  private async load(turn: number, number: number): Promise<Segment | null> {
    if (!this.peek(number)) this.setBuffering(true);
    const segment = await this.get(number);
    if (turn !== this.turn) return null;
    this.setBuffering(false);
    return segment;
  }

  private prefetch(number: number): void {
    const next = number + 1;
    if (next < this.starts.length && !this.peek(next)) this.cache.prefetch(next);
  }

  private show(emulator: Emulator): void {
    if (this.emulator === emulator) return;
    this.emulator?.close();
    this.emulator = emulator;
  }

  private track(): Track {
    return {
      starts: this.starts,
      duration: this.length,
      segment: (number) => this.peek(number),
    };
  }

  private async tick(turn: number): Promise<void> {
    if (turn !== this.turn || !this.position || !this.emulator) return;
    const now = this.ticker.now();
    const budget = Math.min(MAX_FRAME_S, now - this.lastFrame) * this.rate;
    this.lastFrame = now;
    const from: PlayPoint = {
      position: this.position,
      time: this.time,
      pauseSince: this.pauseSince,
    };
    const played = playFor(this.track(), from, budget, this.idleLimit);
    if (played.events.length > 0) {
      this.position = null;
      await this.emulator.feed(played.events);
      if (turn !== this.turn) return;
      this.listener.screen();
    }
    if (played.point.position.segment !== from.position.segment) {
      this.prefetch(played.point.position.segment);
    }
    this.time = played.point.time;
    this.position = played.point.position;
    this.pauseSince = played.point.pauseSince;
    this.listener.played(played.events);
    await this.goOn(turn, played.status);
  }

  private async goOn(turn: number, status: "playing" | "waiting" | "ended"): Promise<void> {
    if (status === "ended") {
      this.isFollowing = this.isLive;
      this.isPlaying = this.isFollowing;
    } else {
      if (status === "waiting" && this.position) {
        if (!(await this.load(turn, this.position.segment))) return;
        this.lastFrame = this.ticker.now();
      }
      this.schedule(turn);
    }
    this.listener.state();
  }

  private async eventAfter(time: number): Promise<number | null> {
    for (let n = segmentAt(this.starts, time); n < this.starts.length; n++) {
      const segment = await this.get(n);
      const event = segment.events[eventsUpTo(segment.events, time)];
      if (event) return event[0];
    }
    return null;
  }

  /** The instant of the event before the one that is shown; 0 before the first. */
  private async twoEventsBefore(time: number): Promise<number> {
    const shown = await this.lastEventBefore(time + 1e-9);
    const before = shown === null ? null : await this.lastEventBefore(shown);
    return before ?? 0;
  }

  private async lastEventBefore(time: number): Promise<number | null> {
    for (let n = segmentAt(this.starts, time); n >= 0; n--) {
      const { events } = await this.get(n);
      const event = events.findLast((each) => each[0] < time);
      if (event) return event[0];
    }
    return null;
  }

  private async attempt<T>(work: () => Promise<T>): Promise<T | null> {
    const turn = this.turn;
    try {
      return await work();
    } catch (error) {
      this.fail(turn, error);
      return null;
    }
  }
}
