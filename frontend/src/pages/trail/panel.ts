/** What the system did: a trail of events in plain sentences, each leading to its moment. */
import { css, html, nothing, type PropertyValues } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";
import type { Command, RecordedEvent } from "../api/types.ts";
import { clock, count, exactDuration } from "../format.ts";
import { PageElement } from "../parts/page.ts";
import { problemBox } from "../parts/templates.ts";
import { recordingPath } from "../router.ts";
import { shownShort } from "../text.ts";
import "./bunch.ts";
import "./event.ts";
import "./filters.ts";
import { ALL, queryOf, type Wanted } from "./filters.ts";
import { bringToTop, Following } from "./following.ts";
import { kindStyles, listStyles } from "./styles.ts";
import {
  beginning,
  eventAt,
  joined,
  NOTHING,
  PAGE,
  placeOf,
  reopened,
  type TrailWindow,
} from "./window.ts";
import { KINDS, kindLabel } from "./words.ts";

/** Longer sentences are cut; the event itself shows all. */
const MAX_TEXT = 400;
const NEAR_END_PX = 200;
/** While playing, an instant outside of what is loaded is loaded this long after the last one. */
const FOLLOW_MS = 300;

const NOTHING_LIKE_THAT = "Nothing like that happened, as far as the audit rules record it.";
const NOTHING_DONE = "Nothing that the host's audit rules record.";

function keyOf({ event }: RecordedEvent): string {
  return `${event.serial} ${event.at_unix_us}`;
}

@customElement("steno-trail")
export class Trail extends PageElement {
  static override styles = [
    PageElement.styles,
    listStyles,
    kindStyles,
    css`
      :host {
        grid-template-rows: auto minmax(0, 1fr);
      }
      .top {
        padding: 0.5rem 0.75rem;
        display: grid;
        grid-template-columns: minmax(0, 1fr);
        gap: 0.4rem;
        border-bottom: 1px solid var(--line);
      }
      .top .row {
        flex-wrap: nowrap;
      }
      h2 {
        font-size: 0.9rem;
        overflow: hidden;
        text-overflow: ellipsis;
        white-space: nowrap;
        flex: 1;
        min-width: 0;
      }
      h2 code {
        white-space: pre;
      }
      .top button {
        min-height: 1.9rem;
        padding: 0.1rem 0.6rem;
        font-size: 0.85rem;
      }
      .what {
        font-family: inherit;
      }
      [aria-expanded="true"] {
        background: var(--hover);
      }
      .failed .what {
        color: var(--bad);
      }
      .more {
        margin: 0.25rem 0.75rem;
        font-size: 0.85rem;
      }
      .nothing {
        padding: 1rem 0.75rem;
      }
    `,
  ];

  @property() rec = "";
  /** Whose trail it is; null: the whole session's. */
  @property({ attribute: false }) command: Command | null = null;
  @property({ type: Number }) atUs = 0;
  /** Changes whenever more may have come in. */
  @property({ attribute: false }) growth: unknown = null;
  /** Nothing is fetched until somebody looks. */
  @property({ type: Boolean }) isOpen = false;
  /** The serial of the event to open, once it is there. */
  @property({ attribute: false }) opens: number | null = null;
  @state() private window: TrailWindow = NOTHING;
  @state() private wanted: Wanted = ALL;
  /** The event whose detail is shown. */
  @state() private chosen: string | null = null;
  /** The event that the keyboard was in last: Tab goes through the list in one step. */
  @state() private focused: string | null = null;
  @query(".list") private list!: HTMLElement | null;
  #following = new Following(this);
  #isBegun = false;
  #seenGrowth: unknown = null;
  #followTimer = 0;
  #toOpen: number | null = null;
  /** Which of the events that a row stands for is to be opened with it. */
  #member: number | null = null;

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has("rec") || changed.has("command")) {
      const before = changed.get("command") as Command | null | undefined;
      // A live recording's list comes anew again and again; the command stays the same.
      if (changed.has("rec") || before?.number !== this.command?.number) this.#isBegun = false;
    }
    if (changed.has("opens")) this.#toOpen = this.opens;
    if (this.command !== null) this.#toOpen = null;
    if (!this.isOpen) return;
    if (!this.#isBegun) this.#begin();
    else if (this.growth !== this.#seenGrowth && !this.isBusy) this.#grow();
    else if (changed.has("atUs")) this.#followSoon();
    this.#openWanted();
  }

  /** Open the event that the address names, as soon as it is loaded. */
  #openWanted(): void {
    const serial = this.#toOpen;
    if (serial === null) return;
    const item = this.window.items.find(
      ({ event, bunch }) => event.serial === serial || bunch?.serials.includes(serial),
    );
    if (!item) return;
    this.#toOpen = null;
    this.chosen = keyOf(item);
    this.#member = serial;
  }

  protected override updated(changed: PropertyValues): void {
    if (this.chosen !== null) {
      // Who reads an event's detail wants to see much of it, and not to see it scroll away.
      const row = this.list?.querySelector('[aria-expanded="true"]');
      if (changed.has("chosen") && this.list && row) bringToTop(this.list, row);
      return;
    }
    const current = this.window.items[eventAt(this.window.items, this.atUs)];
    this.#following.keep(this.list, current?.event.serial);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearTimeout(this.#followTimer);
  }

  /** Show what happened around an instant: of one kind, or everything where it is none. */
  showLane(kind: string, fromUs: number): void {
    const known = KINDS.find((each) => each.kind === kind);
    this.wanted = known ? { ...ALL, kinds: new Set([known.kind]) } : ALL;
    this.#begin(fromUs);
  }

  #begin(aroundUs: number | null = null): void {
    this.#isBegun = true;
    this.#seenGrowth = this.growth;
    this.chosen = null;
    this.window = NOTHING;
    this.#following.back();
    const isAtBegin = aroundUs === null && (this.command !== null || this.atUs === 0);
    const start = beginning(isAtBegin ? null : (aroundUs ?? this.atUs));
    void this.load(async (signal) => {
      let window = await this.#loaded(start, "later", signal);
      if (window.earlier) window = await this.#loaded(window, "earlier", signal);
      this.window = window;
    });
  }

  #grow(): void {
    this.#seenGrowth = this.growth;
    // What is newer than the window is loaded when somebody gets there.
    if (this.window.later) return;
    void this.load(async (signal) => {
      this.window = await this.#loaded(reopened(this.window), "later", signal);
    });
  }

  #more(end: "earlier" | "later"): void {
    if (this.isBusy) return;
    void this.load(async (signal) => {
      this.window = await this.#loaded(this.window, end, signal);
    });
  }

  /** A window with the next page at one of its ends; pages that bring nothing new are passed. */
  async #loaded(
    window: TrailWindow,
    end: "earlier" | "later",
    signal: AbortSignal,
  ): Promise<TrailWindow> {
    let next = window;
    for (let asked = next[end]; asked; asked = next[end]) {
      const page = await this.context.api.events(this.rec, { ...this.#query(), ...asked }, signal);
      const last = next.items.at(end === "later" ? -1 : 0);
      next = joined(next, end, asked, page);
      if (next.items.at(end === "later" ? -1 : 0) !== last) break;
    }
    return next;
  }

  #query() {
    return { ...queryOf(this.wanted), command: this.command?.number ?? null, limit: PAGE };
  }

  /** Who comes to the end of what is loaded gets more of it. */
  #onScroll = (event: Event): void => {
    this.#following.scrolled(event);
    const list = event.currentTarget as HTMLElement;
    const left = list.scrollHeight - list.clientHeight - list.scrollTop;
    if (this.#following.isAway && left < NEAR_END_PX && this.window.later) this.#more("later");
  };

  #followSoon(): void {
    if (this.#following.isAway || this.chosen !== null || this.#followTimer) return;
    // While more is on its way nobody knows yet where the player will be in it.
    if (!this.isBusy && placeOf(this.window, this.atUs) === "here") return;
    this.#followTimer = window.setTimeout(() => {
      this.#followTimer = 0;
      if (this.isBusy) this.#followSoon();
      else if (placeOf(this.window, this.atUs) !== "here") this.#begin(this.atUs);
    }, FOLLOW_MS);
  }

  override render() {
    return html`${this.#top()}
      <div
        class="list"
        tabindex="-1"
        @wheel=${this.#following.touch}
        @touchmove=${this.#following.touch}
        @pointerdown=${this.#following.touch}
        @keydown=${this.#onKey}
        @scroll=${this.#onScroll}
      >
        ${this.problem ? this.#failed() : nothing}
        ${this.#moreButton("earlier")} ${this.#events()} ${this.#moreButton("later")}
      </div>
      ${
        this.#following.isAway || this.chosen !== null
          ? html`<button class="back" @click=${this.#backToPlayer}>Follow the player again</button>`
          : nothing
      }`;
  }

  #failed() {
    return html`<div class="nothing stack">
      ${problemBox(this.problem)}
      <div><button @click=${() => this.#begin()}>Try again</button></div>
    </div>`;
  }

  #backToPlayer = (): void => {
    this.chosen = null;
    this.#following.back();
    if (placeOf(this.window, this.atUs) !== "here") this.#begin(this.atUs);
  };

  #top() {
    const { command } = this;
    return html`<div class="top">
      <div class="row">
        <h2 title=${command ? shownShort(command.text, MAX_TEXT) : ""}>
          ${command ? html`Trail of <code>${shownShort(command.text, MAX_TEXT)}</code>` : "Trail of the whole session"}
        </h2>
        ${
          command
            ? html`<button @click=${() => this.dispatchEvent(new CustomEvent("steno-whole"))}>
                Whole session
              </button>`
            : nothing
        }
      </div>
      <steno-trail-filters
        .wanted=${this.wanted}
        @steno-wanted=${(event: CustomEvent<Wanted>) => {
          this.wanted = event.detail;
          this.#begin();
        }}
      ></steno-trail-filters>
    </div>`;
  }

  #moreButton(end: "earlier" | "later") {
    if (!this.window[end] || this.problem) return nothing;
    return html`<button class="more" ?disabled=${this.isBusy} @click=${() => this.#more(end)}>
      ${this.isBusy ? "Loading…" : end === "earlier" ? "Earlier events" : "Later events"}
    </button>`;
  }

  #events() {
    const { items, earlier, later } = this.window;
    if (items.length === 0 && !earlier && !later) {
      if (this.problem) return nothing;
      return html`<p class="nothing muted" role="status">
        ${this.isBusy ? "Loading…" : this.wanted !== ALL ? NOTHING_LIKE_THAT : NOTHING_DONE}
      </p>`;
    }
    const current = eventAt(items, this.atUs);
    const focused = items.findIndex((item) => keyOf(item) === this.focused);
    const stop = focused >= 0 ? focused : Math.max(0, current);
    return html`<ol>
      ${items.map((item, index) => this.#event(item, index === current, index === stop))}
    </ol>`;
  }

  #event(item: RecordedEvent, isCurrent: boolean, isTabStop: boolean) {
    const { at_us: atUs, kind, event, bunch } = item;
    const key = keyOf(item);
    const isChosen = key === this.chosen;
    const lost = event.lost_before ?? 0;
    return html`<li>
      ${lost > 0 ? html`<p class="foot warn">${count(lost)} events are missing here.</p>` : nothing}
      <a
        class=${event.result === "failure" ? "failed" : ""}
        href=${recordingPath(this.rec, Math.max(0, atUs))}
        aria-current=${isCurrent ? "true" : nothing}
        aria-expanded=${String(isChosen)}
        tabindex=${isTabStop ? 0 : -1}
        @focus=${() => {
          this.focused = key;
        }}
        @click=${() => {
          this.chosen = isChosen ? null : key;
        }}
      >
        <span class="at" title=${exactDuration(atUs)}>${clock(atUs)}</span>
        <span class="what"
          ><span class="kind ${kind}" title=${kindLabel(kind)}></span
          ><span class="unseen">${kindLabel(kind)}: </span>${shownShort(bunch?.text ?? event.text ?? event.action, MAX_TEXT)}</span
        >
      </a>
      ${isChosen ? this.#detail(item) : nothing}
    </li>`;
  }

  #detail(item: RecordedEvent) {
    const hasOthers = this.command?.number !== item.command;
    return item.bunch
      ? html`<steno-bunch
          .context=${this.context}
          .rec=${this.rec}
          .item=${item}
          .asked=${this.#query()}
          .opens=${this.#member}
          .hasOthers=${hasOthers}
        ></steno-bunch>`
      : html`<steno-event
          .context=${this.context}
          .rec=${this.rec}
          .item=${item}
          .hasOthers=${hasOthers}
        ></steno-event>`;
  }

  /** Up and down move among the events; everything else is the browser's. */
  #onKey(event: KeyboardEvent): void {
    this.#following.touch();
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const links = [...(this.list?.querySelectorAll<HTMLElement>("li > a") ?? [])];
    const at = links.indexOf(event.target as HTMLElement);
    if (step === undefined || at < 0) return;
    event.preventDefault();
    links[at + step]?.focus();
  }
}
