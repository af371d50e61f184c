/** The custom element `<steno-player>`: attributes, properties, methods, events. */
import { clampSpeed } from "./clock.ts";
import { HttpSource } from "./http.ts";
import { InlineSource } from "./inline.ts";
import css from "./player.css";
import { Player, type PlayerOptions } from "./player.ts";
import type {
  RecordingData,
  StenoPlayerElement,
  StenoPlayerEventDetails,
  TrailData,
} from "./public.ts";
import type { RecordingSource } from "./source.ts";
import { View } from "./view.ts";

const SHEET = new CSSStyleSheet();
SHEET.replaceSync(css);

/** Keys typed here are text, not commands. */
function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLInputElement ||
    target instanceof HTMLTextAreaElement ||
    target instanceof HTMLSelectElement
  );
}

/** A button does these itself. */
function isPressing(event: KeyboardEvent, target: EventTarget | null): boolean {
  const isButton = target instanceof HTMLButtonElement || target instanceof HTMLAnchorElement;
  return isButton && (event.key === " " || event.key === "Enter");
}

export class StenoPlayer extends HTMLElement implements StenoPlayerElement {
  static readonly observedAttributes = ["src", "speed", "idle-limit", "zoom"];

  private readonly view: View;
  private player: Player | null = null;
  private inline: RecordingData | null = null;
  /** What stands inside the element. */
  private inside: RecordingData | null = null;
  private meanwhile: TrailData | null = null;
  private isStartPending = false;
  /** Sought before there was a player. */
  private wantedAt: number | null = null;

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open", delegatesFocus: true });
    root.adoptedStyleSheets = [SHEET];
    this.view = new View(this, {
      act: (action) => this.player?.act(action),
      setSpeed: (speed) => {
        this.speed = speed;
      },
      setIdleLimit: (seconds) => {
        this.idleLimit = seconds;
      },
      showCommands: () => this.view.toggleMarks(),
      scrub: (time) => void this.player?.seekSoon(time),
      seek: (time) => void this.seek(time),
      lane: (kind, from, to) =>
        this.tell("steno-lane", {
          kind,
          from_us: Math.round(from * 1e6),
          to_us: Math.round(to * 1e6),
        }),
      search: {
        search: (query) => void this.find(query),
        next: () => this.player?.act({ do: "nextHit" }),
        previous: () => this.player?.act({ do: "previousHit" }),
        close: () => {
          this.player?.search.clear();
          this.view.closeSearch();
        },
      },
    });
    root.append(this.view.element);
    root.addEventListener("keydown", (event) => this.onKey(event as KeyboardEvent));
  }

  get src(): string {
    return this.getAttribute("src") ?? "";
  }

  set src(value: string) {
    this.setAttribute("src", value);
  }

  get data(): RecordingData | null {
    return this.inline;
  }

  set data(value: RecordingData | null) {
    this.inline = value;
    this.startSoon();
  }

  get trail(): TrailData | null {
    return this.meanwhile ?? (this.inline ?? this.inside)?.trail ?? null;
  }

  set trail(value: TrailData | null) {
    this.meanwhile = value;
    this.player?.setTrail(this.trail);
  }

  get currentTime(): number {
    return this.player?.playback.time ?? 0;
  }

  set currentTime(value: number) {
    void this.seek(value);
  }

  get duration(): number {
    return this.player?.playback.duration ?? 0;
  }

  get paused(): boolean {
    return !(this.player?.playback.isPlaying ?? false);
  }

  get live(): boolean {
    return this.player?.playback.isFollowing ?? false;
  }

  get speed(): number {
    return this.player?.playback.speed ?? clampSpeed(Number(this.getAttribute("speed") ?? 1));
  }

  set speed(value: number) {
    this.setAttribute("speed", String(clampSpeed(value)));
  }

  get idleLimit(): number {
    if (this.player) return this.player.playback.idleLimit;
    return secondsOf(this.getAttribute("idle-limit"));
  }

  set idleLimit(value: number) {
    this.setAttribute("idle-limit", String(value));
  }

  async whenReady(): Promise<void> {
    while (!this.player?.isOpen) {
      await new Promise<void>((resolve) => {
        this.addEventListener("steno-ready", () => resolve(), { once: true });
      });
    }
  }

  async play(): Promise<void> {
    await this.player?.open();
    this.player?.playback.play();
  }

  pause(): void {
    this.player?.playback.pause();
  }

  async seek(time: number): Promise<void> {
    if (this.player) await this.player.seek(time);
    else this.wantedAt = time;
  }

  async step(): Promise<void> {
    await this.player?.step();
  }

  async follow(): Promise<void> {
    await this.player?.follow();
  }

  async find(query: string): Promise<number> {
    this.view.searchBar.setQuery(query);
    return (await this.player?.find(query)) ?? 0;
  }

  screenText(): string {
    return this.player?.screenText() ?? "";
  }

  connectedCallback(): void {
    this.takeEarly("data");
    this.takeEarly("trail");
    this.view.connect();
    if (document.readyState === "loading") {
      // The recording may stand inside the element, which the parser has not read yet.
      document.addEventListener("DOMContentLoaded", () => this.startSoon(), { once: true });
    } else this.startSoon();
  }

  disconnectedCallback(): void {
    this.view.disconnect();
    this.player?.close();
    this.player = null;
  }

  attributeChangedCallback(name: string, before: string | null, after: string | null): void {
    if (before === after) return;
    if (name === "src") this.startSoon();
    else if (name === "zoom") this.view.screen.zoom = after === "100" ? "100" : "fit";
    else if (name === "speed" && this.player) this.player.playback.speed = Number(after ?? 1);
    else if (name === "idle-limit") this.player?.setIdleLimit(secondsOf(after));
  }

  /** A page may have set a property before player.js had made the element what it is. */
  private takeEarly(name: "data" | "trail"): void {
    if (!Object.hasOwn(this, name)) return;
    const value = this[name];
    delete (this as Partial<Pick<StenoPlayer, "data" | "trail">>)[name];
    (this as Record<string, unknown>)[name] = value;
  }

  /** Start once for all that is set in the same turn. */
  private startSoon(): void {
    if (this.isStartPending) return;
    this.isStartPending = true;
    queueMicrotask(() => {
      this.isStartPending = false;
      if (this.isConnected) this.start();
    });
  }

  private start(): void {
    this.player?.close();
    this.player = null;
    this.view.status.fail("");
    let source: RecordingSource | null;
    try {
      source = this.makeSource();
    } catch (error) {
      this.onError(error instanceof Error ? error.message : String(error));
      return;
    }
    if (!source) return;
    const options = this.options();
    this.view.controls.hasLink = options.link !== null;
    this.view.isCovered = !options.autoplay && options.at === null;
    this.player = new Player(source, this.view, this.playerEvents(), options);
    this.player.setTrail(this.trail);
    void this.player.open().then(() => this.findAtStart());
  }

  private findAtStart(): void {
    const query = this.getAttribute("query");
    if (query) void this.find(query);
  }

  private playerEvents(): ConstructorParameters<typeof Player>[2] {
    return {
      ready: (duration) => this.tell("steno-ready", { duration }),
      time: (time, duration) => this.tell("steno-time", { time, duration }),
      state: (playing, live) => {
        if (playing) this.view.isCovered = false;
        this.tell("steno-state", { playing, live });
      },
      error: (message, status) =>
        this.tell("steno-error", status === undefined ? { message } : { message, status }),
      verified: (verification) => this.tell("steno-verification", { verification }),
    };
  }

  private makeSource(): RecordingSource | null {
    this.inside = null;
    if (this.inline) return new InlineSource(this.inline);
    if (this.src) return new HttpSource(this.src);
    const script = this.querySelector(':scope > script[type="application/json"]');
    if (!script) return null;
    const inside: RecordingData = JSON.parse(script.textContent ?? "null");
    const source = new InlineSource(inside);
    this.inside = inside;
    return source;
  }

  private options(): PlayerOptions {
    const isLinkable = this.hasAttribute("linkable");
    const at = this.getAttribute("at") ?? (isLinkable ? instantInAddress() : null);
    const seconds = this.wantedAt ?? (at === null || at === "" ? Number.NaN : Number(at));
    this.wantedAt = null;
    return {
      at: Number.isFinite(seconds) ? seconds : null,
      speed: this.speed,
      idleLimit: this.idleLimit,
      autoplay: this.hasAttribute("autoplay"),
      link: isLinkable ? addressOfInstant : null,
    };
  }

  private onError(message: string): void {
    this.view.status.fail(message);
    this.tell("steno-error", { message });
  }

  private tell<K extends keyof StenoPlayerEventDetails>(
    name: K,
    detail: StenoPlayerEventDetails[K],
  ): void {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }

  private onKey(event: KeyboardEvent): void {
    const target = event.composedPath()[0] ?? null;
    if (event.defaultPrevented || isPressing(event, target)) return;
    if (isTyping(target) && event.key !== "Escape") return;
    if (this.player?.press(event)) {
      event.preventDefault();
      event.stopPropagation();
    }
  }
}

/** An idle limit from an attribute: none, or no number above 0, plays pauses in full. */
function secondsOf(text: string | null): number {
  const seconds = Number(text ?? "Infinity");
  return seconds > 0 ? seconds : Number.POSITIVE_INFINITY;
}

/** "?t=12.3" of the page's address. */
function instantInAddress(): string | null {
  return new URLSearchParams(location.search).get("t");
}

/** The page's address with "?t=12.3". */
function addressOfInstant(time: number): string {
  const address = new URL(location.href);
  address.hash = "";
  address.searchParams.set("t", (Math.floor(time * 10) / 10).toFixed(1));
  return address.href;
}
