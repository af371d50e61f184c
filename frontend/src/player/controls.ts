/** The row of buttons below the timeline. */
import { formatSpeed, IDLE_LIMITS, SPEEDS } from "./clock.ts";
import { type IconName, icon, iconButton, make, setText } from "./dom.ts";
import { formatTime } from "./format.ts";
import type { Action } from "./keys.ts";
import type { Download } from "./source.ts";

export interface ControlsState {
  time: number;
  duration: number;
  isPlaying: boolean;
  isBuffering: boolean;
  isLive: boolean;
  isFollowing: boolean;
  speed: number;
  idleLimit: number;
}

export interface ControlsListener {
  act(action: Action): void;
  setSpeed(speed: number): void;
  setIdleLimit(seconds: number): void;
  showCommands(): void;
}

function choice(
  label: string,
  options: readonly [value: string, text: string][],
): HTMLSelectElement {
  return make(
    "select",
    { class: "choice", "aria-label": label, title: label },
    ...options.map(([value, text]) => make("option", { value }, text)),
  );
}

function idleText(seconds: number): string {
  return Number.isFinite(seconds) ? `pauses ≤ ${seconds} s` : "all pauses";
}

/** Choose `value`, adding it first when it is none of the usual ones. */
function choose(select: HTMLSelectElement, value: string, text: string): void {
  if (select.value === value) return;
  if (![...select.options].some((option) => option.value === value)) {
    select.append(make("option", { value }, text));
  }
  select.value = value;
}

export class Controls {
  readonly element: HTMLElement;
  private readonly playButton: HTMLButtonElement;
  private readonly time: HTMLButtonElement;
  private readonly liveButton: HTMLButtonElement;
  private readonly commandsButton: HTMLButtonElement;
  private readonly linkButton: HTMLButtonElement;
  private readonly speed = choice(
    "Speed",
    SPEEDS.map((speed) => [String(speed), formatSpeed(speed)]),
  );
  private readonly idle = choice(
    "Longest pause",
    IDLE_LIMITS.map((seconds) => [String(seconds), idleText(seconds)]),
  );
  private readonly downloadButton: HTMLButtonElement;
  private readonly menu = make("div", {
    class: "menu",
    role: "group",
    "aria-label": "Download",
    hidden: true,
  });

  constructor(listener: ControlsListener) {
    const act = (action: Action) => () => listener.act(action);
    const button = (name: IconName, label: string, key: string, action: Action) =>
      iconButton(name, label, key, act(action));
    this.playButton = button("play", "Play", "Space", { do: "toggle" });
    this.playButton.classList.add("primary");
    this.time = make("button", { type: "button", class: "time", title: "Go to a time (g)" });
    this.time.addEventListener("click", act({ do: "goTo" }));
    this.liveButton = make("button", { type: "button", class: "live", hidden: true }, "Live");
    this.liveButton.addEventListener("click", act({ do: "live" }));
    this.commandsButton = iconButton("list", "Commands and notes", null, () =>
      listener.showCommands(),
    );
    this.linkButton = button("link", "Copy link to this instant", "u", { do: "link" });
    this.downloadButton = iconButton("download", "Download", null, () => this.toggleMenu());
    this.downloadButton.setAttribute("aria-expanded", "false");
    this.speed.addEventListener("change", () => listener.setSpeed(Number(this.speed.value)));
    this.idle.addEventListener("change", () => listener.setIdleLimit(Number(this.idle.value)));
    this.element = make(
      "div",
      { class: "controls", role: "toolbar", "aria-label": "Player" },
      button("stepBack", "Previous piece", ",", { do: "stepBack" }),
      this.playButton,
      button("step", "Next piece", ".", { do: "step" }),
      this.time,
      this.liveButton,
      make("span", { class: "spring" }),
      this.speed,
      this.idle,
      make("span", { class: "spring row-break" }),
      this.commandsButton,
      button("search", "Search", "/", { do: "search" }),
      button("copy", "Copy the screen's text", "c", { do: "copy" }),
      this.linkButton,
      make("span", { class: "holder" }, this.downloadButton, this.menu),
      button("zoom", "Fit, or real size", "z", { do: "zoom" }),
      button("full", "Full screen", "f", { do: "fullscreen" }),
      button("help", "Keys", "?", { do: "help" }),
    );
    this.closeMenuOnLeave();
  }

  show(state: ControlsState): void {
    this.showPlaying(state.isPlaying);
    setText(this.time, `${formatTime(state.time, true)} / ${formatTime(state.duration)}`);
    this.element.classList.toggle("is-buffering", state.isBuffering);
    this.liveButton.hidden = !state.isLive;
    this.liveButton.setAttribute("aria-pressed", String(state.isFollowing));
    setText(this.liveButton, state.isFollowing ? "Live" : "Back to live");
    choose(this.speed, String(state.speed), formatSpeed(state.speed));
    choose(this.idle, String(state.idleLimit), idleText(state.idleLimit));
  }

  setDownloads(downloads: readonly Download[]): void {
    this.downloadButton.hidden = downloads.length === 0;
    this.menu.replaceChildren(
      ...downloads.map(({ label, href }) => make("a", { href, download: true }, label)),
    );
  }

  set hasLink(value: boolean) {
    this.linkButton.hidden = !value;
  }

  set hasMarks(value: boolean) {
    this.commandsButton.hidden = !value;
  }

  /** Close the menu; tells whether it was open. */
  closeMenu(): boolean {
    const wasOpen = !this.menu.hidden;
    this.menu.hidden = true;
    this.downloadButton.setAttribute("aria-expanded", "false");
    if (wasOpen) this.downloadButton.focus();
    return wasOpen;
  }

  private toggleMenu(): void {
    if (this.closeMenu()) return;
    this.menu.hidden = false;
    this.downloadButton.setAttribute("aria-expanded", "true");
    this.menu.querySelector("a")?.focus();
  }

  private closeMenuOnLeave(): void {
    this.menu.parentElement?.addEventListener("focusout", (event) => {
      const to = event.relatedTarget;
      if (!(to instanceof Node) || !this.menu.parentElement?.contains(to)) {
        this.menu.hidden = true;
        this.downloadButton.setAttribute("aria-expanded", "false");
      }
    });
  }

  private showPlaying(isPlaying: boolean): void {
    const label = isPlaying ? "Pause" : "Play";
    if (this.playButton.getAttribute("aria-label") === label) return;
    this.playButton.setAttribute("aria-label", label);
    this.playButton.title = `${label} (Space)`;
    this.playButton.replaceChildren(icon(isPlaying ? "pause" : "play"));
  }
}
