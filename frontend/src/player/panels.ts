/** What lies over the player: the keys, a list of marks, the question for a time. */
import { iconButton, make, setText } from "./dom.ts";
import { formatTime, parseTime } from "./format.ts";
import { SHORTCUTS } from "./keys.ts";
import type { Mark } from "./timeline.ts";

const KIND_NAMES: Record<Mark["kind"], string> = {
  command: "command",
  note: "note",
  damage: "damage",
  hit: "hit",
};

/** A dialog over the player that Escape and its button close; the focus goes back where it was. */
class Panel {
  readonly element: HTMLElement;
  private returnTo: HTMLElement | null = null;

  constructor(title: string, name: string, ...content: Node[]) {
    const close = iconButton("close", "Close", "Esc", () => this.close());
    this.element = make(
      "div",
      { class: `panel ${name}`, role: "dialog", "aria-label": title, tabindex: "-1", hidden: true },
      make("div", { class: "panel-head" }, make("strong", {}, title), close),
      ...content,
    );
  }

  get isOpen(): boolean {
    return !this.element.hidden;
  }

  open(focus?: HTMLElement): void {
    const root = this.element.getRootNode() as ShadowRoot;
    this.returnTo = root.activeElement as HTMLElement | null;
    this.element.hidden = false;
    (focus ?? this.element).focus();
  }

  close(): boolean {
    if (!this.isOpen) return false;
    this.element.hidden = true;
    this.returnTo?.focus();
    return true;
  }
}

export class HelpPanel extends Panel {
  constructor() {
    const rows = SHORTCUTS.map(({ keys, help }) =>
      make(
        "tr",
        {},
        make("th", { scope: "row" }, ...keys.flatMap((key) => [make("kbd", {}, key), " "])),
        make("td", {}, help),
      ),
    );
    super("Keys", "help", make("table", {}, make("tbody", {}, ...rows)));
  }
}

/** The commands and what else happened, each leading to its instant. */
export class MarksPanel extends Panel {
  private readonly list: HTMLOListElement;

  constructor(private readonly onSeek: (time: number) => void) {
    const list = make("ol", { class: "list" });
    super("Commands and notes", "marks-list", list);
    this.list = list;
  }

  setMarks(marks: readonly Mark[]): void {
    const items = [...marks].sort((a, b) => a.at - b.at).map((mark) => this.item(mark));
    this.list.replaceChildren(...items);
  }

  private item(mark: Mark): HTMLLIElement {
    const button = make(
      "button",
      { type: "button", class: `item ${mark.kind}` },
      make("span", { class: "at" }, formatTime(mark.at, true)),
      make("span", { class: "kind" }, KIND_NAMES[mark.kind]),
      make("span", { class: "label" }, mark.label),
    );
    button.addEventListener("click", () => this.onSeek(mark.at));
    return make("li", {}, button);
  }
}

export class TimePanel extends Panel {
  private readonly input: HTMLInputElement;
  private readonly fault: HTMLElement;

  constructor(onSeek: (time: number) => void) {
    const input = make("input", {
      class: "query",
      "aria-label": "Time",
      placeholder: "1:02:03, 90s, 5m",
      autocomplete: "off",
    });
    const fault = make("span", { class: "count is-error", role: "status" });
    const go = make("button", { type: "submit", class: "text-button" }, "Go");
    const form = make("form", { class: "row-form" }, input, go, fault);
    super("Go to a time", "goto", form);
    this.input = input;
    this.fault = fault;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const time = parseTime(input.value);
      setText(fault, time === null ? "not a time" : "");
      if (time === null) return;
      this.close();
      onSeek(time);
    });
  }

  ask(time: number): void {
    this.input.value = formatTime(time);
    setText(this.fault, "");
    this.open(this.input);
    this.input.select();
  }
}
