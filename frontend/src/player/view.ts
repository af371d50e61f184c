/** All that is seen: the parts put together in the shadow root, and what concerns only the view. */
import { Controls, type ControlsListener } from "./controls.ts";
import { make, setText } from "./dom.ts";
import type { LaneName } from "./lanes.ts";
import { HelpPanel, MarksPanel, TimePanel } from "./panels.ts";
import { ScreenView } from "./screen.ts";
import { SearchBar, type SearchListener } from "./searchbar.ts";
import { StatusLine } from "./status.ts";
import { TimelineView } from "./timelineview.ts";

export interface ViewListener extends ControlsListener {
  /** Dragged along the timeline. */
  scrub(time: number): void;
  /** Something in a lane of the timeline was chosen. */
  lane(name: LaneName, from: number, to: number): void;
  /** Chosen in a list or typed. */
  seek(time: number): void;
  search: SearchListener;
}

export class View {
  readonly element: HTMLElement;
  readonly status = new StatusLine();
  readonly screen = new ScreenView();
  readonly timeline: TimelineView;
  readonly controls: Controls;
  readonly searchBar: SearchBar;
  readonly timePanel: TimePanel;
  readonly marksPanel: MarksPanel;
  private readonly help = new HelpPanel();
  private readonly typed = make("div", { class: "typed", title: "Typed", hidden: true });
  private readonly cover: HTMLButtonElement;

  constructor(
    private readonly host: HTMLElement,
    listener: ViewListener,
  ) {
    this.timeline = new TimelineView({
      seek: (time) => listener.scrub(time),
      lane: (name, from, to) => listener.lane(name, from, to),
    });
    this.controls = new Controls(listener);
    this.searchBar = new SearchBar(listener.search);
    this.timePanel = new TimePanel((time) => listener.seek(time));
    this.marksPanel = new MarksPanel((time) => listener.seek(time));
    this.cover = make("button", {
      type: "button",
      class: "cover",
      "aria-label": "Play",
      hidden: true,
    });
    this.cover.append(make("span", { class: "cover-sign", "aria-hidden": "true" }, "▶"));
    this.cover.addEventListener("click", () => {
      listener.act({ do: "toggle" });
      this.screen.element.focus();
    });
    this.element = make(
      "div",
      { class: "player" },
      this.status.element,
      make(
        "div",
        { class: "stage" },
        this.screen.element,
        this.cover,
        this.typed,
        this.help.element,
        this.timePanel.element,
        this.marksPanel.element,
      ),
      this.searchBar.element,
      this.timeline.element,
      this.controls.element,
    );
  }

  connect(): void {
    this.screen.connect();
    this.timeline.connect();
    document.addEventListener("fullscreenchange", this.onFullscreen);
  }

  disconnect(): void {
    this.screen.disconnect();
    this.timeline.disconnect();
    document.removeEventListener("fullscreenchange", this.onFullscreen);
  }

  set isCovered(value: boolean) {
    this.cover.hidden = !value;
  }

  showTyped(text: string): void {
    this.typed.hidden = text === "";
    setText(this.typed, text);
  }

  toggleHelp(): void {
    if (!this.help.close()) this.help.open();
  }

  toggleMarks(): void {
    if (!this.marksPanel.close()) this.marksPanel.open();
  }

  toggleZoom(): void {
    this.screen.zoom = this.screen.zoom === "fit" ? "100" : "fit";
    this.status.say(this.screen.zoom === "fit" ? "fit to the window" : "real size");
  }

  async toggleFullscreen(): Promise<void> {
    try {
      if (document.fullscreenElement) await document.exitFullscreen();
      else await this.host.requestFullscreen();
    } catch {
      this.status.say("the browser refuses full screen here");
    }
  }

  /** Close what lies on top; tells whether there was something. */
  closeTopmost(): boolean {
    return (
      this.controls.closeMenu() ||
      this.help.close() ||
      this.timePanel.close() ||
      this.marksPanel.close() ||
      this.closeSearch()
    );
  }

  closeSearch(): boolean {
    if (!this.searchBar.close()) return false;
    this.screen.element.focus();
    return true;
  }

  /** Put text on the clipboard, because the person asked for it. */
  async copy(text: string, what: string): Promise<void> {
    const isDone = await this.writeClipboard(text);
    this.status.say(isDone ? `copied ${what}` : "the browser refuses to copy");
  }

  private readonly onFullscreen = (): void => {
    this.element.classList.toggle("is-full", document.fullscreenElement === this.host);
  };

  private async writeClipboard(text: string): Promise<boolean> {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      return this.copyThroughField(text);
    }
  }

  /** Pages without TLS have no clipboard interface; the old way still works there. */
  private copyThroughField(text: string): boolean {
    const root = this.element.getRootNode() as ShadowRoot;
    const focused = root.activeElement as HTMLElement | null;
    const field = make("textarea", { class: "offscreen", "aria-hidden": "true" });
    field.value = text;
    this.element.append(field);
    field.select();
    const isDone = document.execCommand("copy");
    field.remove();
    focused?.focus();
    return isDone;
  }
}
