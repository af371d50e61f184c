/** The list of recordings: found by a query and filters, sorted, paged, and kept up to date. */
import { css, html, nothing, type PropertyValues } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { watchRecordings } from "../api/changes.ts";
import type { Page, Recording } from "../api/types.ts";
import { counted } from "../format.ts";
import "../parts/filters.ts";
import "../parts/query-box.ts";
import { PageElement } from "../parts/page.ts";
import { COLUMNS, recordingsTable, tableStyles } from "../parts/recordings-table.ts";
import { emptyState, problemBox } from "../parts/templates.ts";
import { listPath, navigate, type Route } from "../router.ts";

const PAGE_SIZE = 50;
/** News are looked up at most this often. */
const REFRESH_MS = 1500;

type ListRoute = Extract<Route, { page: "recordings" }>;

/** The cursors of the pages before this one, kept in the browser's history. */
function trailHere(): (string | null)[] {
  const trail: unknown = (history.state as { trail?: unknown } | null)?.trail;
  return Array.isArray(trail) ? (trail as (string | null)[]) : [];
}

@customElement("steno-recordings-page")
export class RecordingsPage extends PageElement {
  static override styles = [
    PageElement.styles,
    tableStyles,
    css`
      .toolbar {
        min-height: 2.25rem;
      }
      .sort {
        display: none;
      }
      @media (max-width: 1000px) {
        .sort {
          display: flex;
          align-items: center;
          gap: 0.5rem;
        }
        .sort label {
          margin: 0;
        }
        .sort select {
          width: auto;
        }
      }
    `,
  ];

  @property({ attribute: false }) route!: ListRoute;
  @state() private list: Page<Recording> | null = null;
  /** The same page as the server has it by now, when recordings in it are not shown yet. */
  @state() private newer: Page<Recording> | null = null;
  @state() private hasNews = true;
  @state() private hosts: string[] = [];
  #stopWatching: (() => void) | null = null;
  #refreshTimer = 0;
  /** For each list that is on its way: what was told of recordings meanwhile. */
  readonly #awaited = new Set<Map<string, Recording>>();

  override connectedCallback(): void {
    super.connectedCallback();
    this.#stopWatching = watchRecordings(
      (recording) => this.#take(recording),
      (isConnected) => {
        this.hasNews = isConnected;
        // What happened while there was no connection, nobody told; not before the first one either.
        if (!isConnected) return;
        if (this.problem?.isPassing) this.tryAgain();
        else this.#refreshSoon();
      },
    );
    void this.#loadHosts();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#stopWatching?.();
    clearTimeout(this.#refreshTimer);
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has("route")) {
      void this.load(async (signal) => {
        this.list = await this.#fetch(signal);
        this.newer = null;
      });
    }
  }

  async #fetch(signal?: AbortSignal): Promise<Page<Recording>> {
    const { query: q, sort, cursor } = this.route;
    const told = new Map<string, Recording>();
    this.#awaited.add(told);
    try {
      const page = await this.context.api.recordings({ q, sort, cursor, limit: PAGE_SIZE }, signal);
      // The answer may be older than what was told before it came; what is newer is told yet.
      return { ...page, items: page.items.map((item) => told.get(item.rec) ?? item) };
    } finally {
      this.#awaited.delete(told);
    }
  }

  /** The hosts' names are only offered while typing: without them all else works. */
  async #loadHosts(): Promise<void> {
    if (this.context.user.role === "user") return;
    try {
      this.hosts = (await this.context.api.hosts()).map((host) => host.name);
    } catch {
      this.hosts = [];
    }
  }

  /** Show a changed recording in its row; for one that is not shown, see if it belongs here. */
  #take(recording: Recording): void {
    for (const told of this.#awaited) told.set(recording.rec, recording);
    const items = this.list?.items ?? [];
    if (this.list && items.some((item) => item.rec === recording.rec)) {
      const changed = items.map((item) => (item.rec === recording.rec ? recording : item));
      this.list = { ...this.list, items: changed };
    } else this.#refreshSoon();
  }

  #refreshSoon(): void {
    this.#refreshTimer ||= window.setTimeout(() => void this.#refresh(), REFRESH_MS);
  }

  async #refresh(): Promise<void> {
    this.#refreshTimer = 0;
    const { route } = this;
    const fresh = await this.#fetch().catch(() => null);
    if (!fresh || route !== this.route || !this.list) return;
    if (this.list.items.length === 0) {
      this.list = fresh;
      return;
    }
    const found = new Map(fresh.items.map((item) => [item.rec, item]));
    const items = this.list.items.map((item) => found.get(item.rec) ?? item);
    this.list = { ...this.list, items };
    const shown = new Set(items.map((item) => item.rec));
    // Rows never move under somebody's hand: new ones wait for a click.
    this.newer = fresh.items.some((item) => !shown.has(item.rec)) ? fresh : null;
  }

  #go(query: string, sort: string): void {
    navigate(listPath(query, sort));
  }

  override render() {
    const { query, sort } = this.route;
    const aboutQuery = this.problem?.isAboutQuery ? this.problem : null;
    return html`<div class="stack">
      <h1 tabindex="-1">Recordings</h1>
      <steno-query-box
        label="Find recordings"
        placeholder="user:avery after:2026-01-31, or words that were on the screen"
        action="Find"
        .value=${query}
        .problem=${aboutQuery}
        @steno-query=${(event: CustomEvent<string>) => this.#go(event.detail, sort)}
      ></steno-query-box>
      <steno-filters
        .query=${query}
        .hosts=${this.hosts}
        @steno-query=${(event: CustomEvent<string>) => this.#go(event.detail, sort)}
      ></steno-filters>
      ${this.#toolbar()} ${aboutQuery ? nothing : problemBox(this.problem, this.tryAgain)}
      ${this.problem ? nothing : this.#results()}
    </div>`;
  }

  #toolbar() {
    const { list, newer } = this;
    const shown = new Set(list?.items.map((item) => item.rec));
    const fresh = newer?.items.filter((item) => !shown.has(item.rec)).length ?? 0;
    return html`<div class="row toolbar">
      <span class="muted" aria-live="polite">
        ${list && !this.problem ? `${counted(list.items.length, "recording")}${list.cursor || this.route.cursor ? " on this page" : ""}` : ""}
      </span>
      ${
        fresh > 0
          ? html`<button @click=${this.#showNewer}>Show ${counted(fresh, "new recording")}</button>`
          : nothing
      }
      ${
        this.hasNews
          ? nothing
          : html`<span class="badge warn" title="The list does not follow what happens; trying again.">
              not live</span
            >`
      }
      ${this.#sortChoice()}
    </div>`;
  }

  /** On a narrow screen the table has no headings to sort by. */
  #sortChoice() {
    const { query, sort } = this.route;
    const sortable = COLUMNS.flatMap(({ name, sort: key }) => (key ? [{ name, key }] : []));
    return html`<div class="sort push">
      <label for="sort">Sort by</label>
      <select
        id="sort"
        @change=${(event: Event) => this.#go(query, (event.target as HTMLSelectElement).value)}
      >
        ${sortable.flatMap(({ name, key }) => [
          html`<option value=${`-${key}`} ?selected=${sort === `-${key}`}>${name} ↓</option>`,
          html`<option value=${key} ?selected=${sort === key}>${name} ↑</option>`,
        ])}
      </select>
    </div>`;
  }

  #results() {
    const { list } = this;
    if (!list) return html`<p class="muted" role="status">Loading…</p>`;
    if (list.items.length === 0) return html`<div class="card">${this.#nothingHere()}</div>`;
    const { query, sort } = this.route;
    return html`<div class="card table" aria-busy=${this.isBusy ? "true" : "false"}>
        ${recordingsTable(list.items, sort, (next) => this.#go(query, next))}
      </div>
      ${this.#pager(list)}`;
  }

  #nothingHere() {
    if (this.route.query !== "") {
      return emptyState(
        "No recording matches",
        "Take a word or a filter away, or look over all screens with Search.",
        html`<a class="button" href="/">Show all recordings</a>`,
      );
    }
    if (this.context.user.role === "user") {
      return emptyState(
        "No recording of yours yet",
        html`You see recordings of the account <code>${this.context.user.name}</code>, and those where
          it logged in. Record a shell with <code>steno rec</code>.`,
      );
    }
    return emptyState(
      "No recordings yet",
      html`Record a shell with <code>steno rec</code>, or enrol a host to have its sessions
        delivered here; this page shows them as they come.`,
      html`<a class="button" href="/hosts">Hosts</a>`,
    );
  }

  #pager(list: Page<Recording>) {
    const { query, sort, cursor } = this.route;
    if (!cursor && !list.cursor) return nothing;
    const trail = trailHere();
    const back = (): void => {
      const before = trail.at(-1) ?? null;
      navigate(listPath(query, sort, before), { state: { trail: trail.slice(0, -1) } });
    };
    const on = (): void => {
      navigate(listPath(query, sort, list.cursor), { state: { trail: [...trail, cursor] } });
    };
    return html`<nav class="row" aria-label="Pages">
      <button ?disabled=${!cursor} @click=${back}>← Previous</button>
      <button ?disabled=${!list.cursor} @click=${on}>Next →</button>
    </nav>`;
  }

  #showNewer(): void {
    if (this.newer) this.list = this.newer;
    this.newer = null;
  }
}
