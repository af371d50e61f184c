/** The player: joins a source, the playback and the views. One for each recording shown. */
import { perform } from "./actions.ts";
import { type Action, actionOf } from "./keys.ts";
import { LiveFollower } from "./live.ts";
import { commandMarks, damageMark, eventMarks, noteMark, troubles, typedText } from "./marks.ts";
import { Playback } from "./playback.ts";
import type { Segment, SegmentEvent, SegmentIndex, TrailData, Verification } from "./public.ts";
import { SearchSession } from "./searchsession.ts";
import { type Details, type RecordingSource, SourceError } from "./source.ts";
import { activityOf, type Mark, neighbour } from "./timeline.ts";
import type { View } from "./view.ts";

/** What the element tells the page. */
export interface PlayerEvents {
  ready(duration: number): void;
  time(time: number, duration: number): void;
  state(playing: boolean, live: boolean): void;
  error(message: string, status: number | undefined): void;
  verified(verification: Verification): void;
}

export interface PlayerOptions {
  /** Start here; null: at the begin, or live when the recording is. */
  at: number | null;
  speed: number;
  idleLimit: number;
  autoplay: boolean;
  /** Makes the address that shows an instant; null when there is none. */
  link: ((time: number) => string) | null;
}

/** Something to go to, and what is said there. */
type Named = Pick<Mark, "at" | "label">;

const TYPED_LENGTH = 60;

const TICKER = {
  now: () => performance.now() / 1000,
  frame: (callback: () => void) => {
    const id = requestAnimationFrame(callback);
    return () => cancelAnimationFrame(id);
  },
};

export class Player {
  readonly playback: Playback;
  readonly search: SearchSession;
  private readonly live: LiveFollower;
  private index: SegmentIndex | null = null;
  private details: Details | null = null;
  private trail: TrailData | null = null;
  private marks: Mark[] = [];
  /** Since the details were taken. */
  private liveMarks: Mark[] = [];
  private isDrawing = false;
  private isClosed = false;
  /** Whether the first instant is shown. */
  isOpen = false;
  private startAt: number | null;
  private readonly abort = new AbortController();
  private opened: Promise<void> | null = null;
  private wanted: number | null = null;
  private typed = "";
  private told = { playing: false, live: false, at: 0 };

  constructor(
    private readonly source: RecordingSource,
    private readonly view: View,
    private readonly events: PlayerEvents,
    private readonly options: PlayerOptions,
  ) {
    this.playback = new Playback((n, signal) => source.segment(n, signal), TICKER, {
      screen: () => this.drawSoon(),
      state: () => this.showState(),
      played: (played) => this.showTyped(played),
      failed: (error) => this.fail(error),
    });
    this.startAt = options.at;
    this.playback.speed = options.speed;
    this.playback.idleLimit = options.idleLimit;
    this.search = new SearchSession(source, view.searchBar, {
      goTo: (time) => this.seek(time),
      changed: () => this.showHits(),
    });
    this.live = new LiveFollower(source, this.playback, {
      connection: (state) => view.status.setLive(state),
      came: (came) => this.noteLive(came),
      reload: () => this.takeLive(),
      end: () => this.endLive(),
    });
  }

  /** Load and show the first instant. */
  open(): Promise<void> {
    this.opened ??= this.load().catch((error) => this.fail(error));
    return this.opened;
  }

  close(): void {
    this.isClosed = true;
    this.abort.abort();
    this.live.stop();
    this.search.stop();
    this.playback.close();
  }

  /** Show the instant `time`; while the recording is still being loaded, start there. */
  async seek(time: number): Promise<void> {
    if (!this.isOpen) {
      this.startAt = time;
      return this.open();
    }
    this.showTypedText("");
    await this.playback.seek(time);
    this.draw();
  }

  /** Seek while a slider is dragged: the newest wish, once the one before is on the screen. */
  async seekSoon(time: number): Promise<void> {
    const isBusy = this.wanted !== null;
    this.wanted = time;
    if (isBusy) return;
    while (this.wanted !== null) {
      const next: number = this.wanted;
      await this.seek(next);
      if (this.wanted === next) this.wanted = null;
    }
  }

  /** Search, and go to the first hit from here on; returns the number of hits. */
  async find(query: string): Promise<number> {
    await this.open();
    return this.search.find(query, this.playback.destination);
  }

  async step(): Promise<void> {
    await this.playback.step();
    this.draw();
  }

  async stepBack(): Promise<void> {
    await this.playback.stepBack();
    this.draw();
  }

  async follow(): Promise<void> {
    await this.playback.follow();
    this.draw();
  }

  /** Act on a key; tells whether it was ours. */
  press(event: KeyboardEvent): boolean {
    const action = actionOf(event);
    if (!action) return false;
    if (action.do === "close") return this.view.closeTopmost();
    this.act(action);
    return true;
  }

  act(action: Action): void {
    perform(action, this, this.view);
  }

  /** Play pauses in full, or at most so long. */
  setIdleLimit(seconds: number): void {
    this.playback.idleLimit = seconds;
    this.showState();
  }

  /** The screen's text, without a recording's reordering characters. */
  screenText(): string {
    return this.playback.emulator?.text() ?? "";
  }

  /** Copy the address that shows this instant. */
  copyLink(): void {
    const address = this.options.link?.(this.playback.time);
    if (address) void this.view.copy(address, "the link to this instant");
  }

  /** Go to the command after (1) or before (-1) this instant. */
  goToMark(by: 1 | -1): void {
    const commands = this.marks.filter((mark) => mark.kind === "command");
    this.goToNeighbour(commands, by, "command");
  }

  /** Go to the denial or alert after (1) or before (-1) this instant. */
  goToTrouble(by: 1 | -1): void {
    this.goToNeighbour(troubles(this.trail), by, "denial or alert");
  }

  private goToNeighbour(sorted: readonly Named[], by: 1 | -1, what: string): void {
    const slack = this.playback.isPlaying ? 0.5 * this.playback.speed : 0.001;
    const next = neighbour(sorted, this.playback.destination, by, slack);
    if (next) void this.seek(next.at).then(() => this.view.status.say(next.label));
    else this.view.status.say(`no ${what} ${by > 0 ? "after" : "before"} this`);
  }

  /** Take what the system did, or more of it. */
  setTrail(trail: TrailData | null): void {
    this.trail = trail;
    this.view.timeline.setTrail(trail);
    this.showMarks();
  }

  private async load(): Promise<void> {
    const detailed = this.source.details();
    try {
      const index = await this.source.index();
      if (this.isClosed) return;
      this.take(index, null);
      let shownAt: number;
      do {
        // Somebody may wish for another instant while the first one is fetched.
        shownAt = this.startAt ?? 0;
        await this.playback.seek(shownAt);
      } while (shownAt !== (this.startAt ?? 0));
      this.draw();
      this.isOpen = true;
      this.events.ready(index.duration);
    } catch (error) {
      this.fail(error);
    }
    // Of a recording that cannot be played it matters all the more what it proves.
    const details = await detailed;
    if (this.isClosed) return;
    this.takeDetails(details);
    if (!this.isOpen) return;
    if (details.isLive && this.source.live) await this.goLive();
    else if (this.options.autoplay) this.playback.play();
  }

  private async goLive(): Promise<void> {
    await this.takeLive();
    if (this.startAt === null) await this.follow();
    else if (this.options.autoplay) this.playback.play();
  }

  /** Take a live recording's index, anew when it has grown, and listen from its end on. */
  private async takeLive(): Promise<void> {
    const wasFollowing = this.playback.isFollowing;
    const index = await this.source.index();
    const last = await this.lastSegment(index);
    if (this.isClosed) return;
    this.take(index, last);
    this.live.start(index.duration);
    if (wasFollowing) await this.follow();
    else await this.seek(this.playback.destination);
  }

  private noteLive(events: readonly SegmentEvent[]): void {
    this.view.timeline.addActivity(activityOf(events));
    const marks = eventMarks(events);
    if (marks.length === 0) return;
    this.liveMarks.push(...marks);
    this.showMarks();
  }

  /** The server's index may lag behind what came live: what is here stays. */
  private async endLive(): Promise<void> {
    this.playback.finish();
    this.takeDetails(await this.source.details());
  }

  /** A live recording's last segment, up to the index's end: what is later comes live. */
  private async lastSegment(index: SegmentIndex): Promise<Segment> {
    const number = index.segments.length - 1;
    const { snapshot, events } = await this.source.segment(number, this.abort.signal);
    return { snapshot, events: events.filter((event) => event[0] <= index.duration) };
  }

  private take(index: SegmentIndex, growing: Segment | null): void {
    this.index = index;
    this.playback.open(index, growing);
    this.showMarks();
  }

  private takeDetails(details: Details): void {
    this.details = details;
    this.liveMarks = [];
    this.view.status.setVerification(details.verification);
    if (details.verification) this.events.verified(details.verification);
    this.view.controls.setDownloads(this.source.downloads());
    this.view.timeline.setActivity(details.activity);
    this.showMarks();
  }

  private showMarks(): void {
    if (!this.index) return;
    this.marks = [
      ...commandMarks(this.index, this.trail),
      ...(this.details?.notes ?? []).map(noteMark),
      ...(this.details?.damages ?? []).map(damageMark),
      ...this.liveMarks,
    ].sort((a, b) => a.at - b.at);
    this.view.marksPanel.setMarks(this.marks);
    this.view.controls.hasMarks = this.marks.length > 0;
    this.showHits();
  }

  private showHits(): void {
    this.view.timeline.setMarks([...this.marks, ...this.search.marks]);
    this.view.screen.highlight(this.search.terms);
  }

  private showTyped(events: readonly SegmentEvent[]): void {
    const keys = events.filter((event) => event[1] === "i").map((event) => typedText(event[2]));
    if (keys.length > 0) this.showTypedText((this.typed + keys.join("")).slice(-TYPED_LENGTH));
  }

  private showTypedText(text: string): void {
    this.typed = text;
    this.view.showTyped(text);
  }

  private drawSoon(): void {
    if (this.isDrawing) return;
    this.isDrawing = true;
    requestAnimationFrame(() => this.draw());
  }

  private draw(): void {
    this.isDrawing = false;
    const { emulator } = this.playback;
    if (!emulator || this.isClosed) return;
    this.view.screen.draw(emulator.read(), emulator.columns);
    this.view.status.setSize(emulator.columns, emulator.rows);
  }

  private showState(): void {
    const { playback } = this;
    const isLive = this.live?.isOn ?? false;
    this.view.timeline.setTime(playback.time, playback.duration);
    this.view.controls.show({
      time: playback.time,
      duration: playback.duration,
      isPlaying: playback.isPlaying,
      isBuffering: playback.isBuffering,
      isLive,
      isFollowing: playback.isFollowing,
      speed: playback.speed,
      idleLimit: playback.idleLimit,
    });
    this.tell(playback.isPlaying, isLive && playback.isFollowing);
  }

  private tell(playing: boolean, live: boolean): void {
    const now = performance.now();
    if (playing !== this.told.playing || live !== this.told.live) this.events.state(playing, live);
    else if (playing && now - this.told.at < 250) return;
    this.told = { playing, live, at: now };
    this.events.time(this.playback.time, this.playback.duration);
  }

  private fail(error: unknown): void {
    if (this.isClosed) return;
    const message = error instanceof Error ? error.message : String(error);
    this.view.status.fail(message);
    this.events.error(message, error instanceof SourceError ? error.status : undefined);
  }
}
