/** Search over all recordings, screens and audit events; or over the audit events of all hosts. */
import { css, html, nothing, type PropertyValues } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import type { Problem } from "../api/problem.ts";
import type { Hit, Page, Recording } from "../api/types.ts";
import { counted } from "../format.ts";
import { hitLink, hitStyles } from "../parts/hit.ts";
import "../parts/found-events.ts";
import { PageElement } from "../parts/page.ts";
import { EXAMPLES, type Example } from "../parts/query-box.ts";
import { badge, emptyState, foreign, instant, problemBox, span } from "../parts/templates.ts";
import { navigate, type Route, recordingPath, searchPath } from "../router.ts";
import { chainSaying, stateSaying, whoWords } from "../words.ts";

const PAGE_SIZE = 20;

/** Questions about audit events, to be asked as they are or changed. */
const EVENT_EXAMPLES: readonly Example[] = [
  ['"became root" after:yesterday', "who became root by su or sudo; words of the sentences below"],
  ["file:/etc/* -action:read after:7d", "what was done to files below /etc, other than reading"],
  ["login:avery user:root", "what somebody did as another user, whatever they became"],
  ["ran:curl host:web1", "where and by whom a program was run"],
  ["addr:192.0.2.0/24", "connections to and from a network"],
  ["result:failure -ran:sudo", "what failed or was denied"],
  ["action:changed at:2026-01-31T14:30", "kinds of events by their first word, and an instant"],
];

const CHANGES = "file:/etc/* -action:read after:yesterday";

interface Group {
  recording: Recording;
  hits: Hit[];
}

/** Hits of one recording that follow each other, under one heading. */
function groupsOf(hits: readonly Hit[]): Group[] {
  const groups: Group[] = [];
  for (const hit of hits) {
    const last = groups.at(-1);
    if (last?.recording.rec === hit.recording.rec) last.hits.push(hit);
    else groups.push({ recording: hit.recording, hits: [hit] });
  }
  return groups;
}

@customElement("steno-search-page")
export class SearchPage extends PageElement {
  static override styles = [
    PageElement.styles,
    hitStyles,
    css`
      .beginnings {
        display: grid;
        gap: 0.4rem;
      }
    `,
  ];

  @property({ attribute: false }) route!: Extract<Route, { page: "search" }>;
  @state() private found: Page<Hit> | null = null;

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (!changed.has("route")) return;
    const before = changed.get("route");
    const isSame = before?.isOfEvents === this.route.isOfEvents;
    if (isSame && before.query === this.route.query && this.found) return;
    this.found = null;
    if (this.route.query === "" || this.route.isOfEvents) this.problem = null;
    else void this.#more();
  }

  #more(): Promise<void> {
    return this.load(async (signal) => {
      const before = this.found;
      const next = await this.context.api.search(
        { q: this.route.query, cursor: before?.cursor ?? null, limit: PAGE_SIZE, bunched: true },
        signal,
      );
      this.found = { ...next, items: [...(before?.items ?? []), ...next.items] };
    });
  }

  override render() {
    const { query, isOfEvents } = this.route;
    const aboutQuery = this.problem?.isAboutQuery ? this.problem : null;
    return html`<div class="stack">
      <h1 tabindex="-1">Search</h1>
      <steno-query-box
        label=${isOfEvents ? this.#eventsLabel : "Search screens and audit events"}
        placeholder=${
          isOfEvents
            ? "action:wrote file:/etc/* login:avery"
            : 'passwd user:avery, "permission denied", file:/etc/shadow'
        }
        .examples=${isOfEvents ? EVENT_EXAMPLES : EXAMPLES}
        .value=${query}
        .problem=${aboutQuery}
        @steno-query=${(event: CustomEvent<string>) => navigate(searchPath(event.detail, isOfEvents))}
      ></steno-query-box>
      ${aboutQuery ? nothing : problemBox(this.problem, this.#tryAgain)}
      <nav class="row views" aria-label="Where">
        <a href=${searchPath(query)} aria-current=${isOfEvents ? nothing : "page"}>In recordings</a>
        <a href=${searchPath(query, true)} aria-current=${isOfEvents ? "page" : nothing}
          >All audit events</a
        >
      </nav>
      ${isOfEvents ? this.#events(query) : [this.#count(), this.#results()]}
    </div>`;
  }

  get #eventsLabel(): string {
    const isLimited = this.context.user.role === "user";
    return `Search the audit events of ${isLimited ? "your recordings" : "all hosts"}`;
  }

  /** What failed may be the events' own search. */
  #tryAgain = (): void => {
    const events = this.renderRoot.querySelector("steno-found-events") as PageElement | null;
    (events ?? this).tryAgain();
  };

  #events(query: string) {
    return html`<steno-found-events
      .context=${this.context}
      query=${query}
      @steno-problem=${(event: CustomEvent<Problem | null>) => {
        this.problem = event.detail;
      }}
    ></steno-found-events>`;
  }

  #count() {
    return html`<p class="muted" aria-live="polite">${this.#said()}</p>`;
  }

  #said(): string {
    const { found } = this;
    if (!found) return this.isBusy ? "Searching…" : "";
    if (found.items.length === 0) return "";
    const hits = counted(found.items.length, "hit");
    return found.cursor ? `The newest ${hits}; there are more.` : `${hits}, newest first.`;
  }

  #results() {
    const { found } = this;
    if (!found) {
      return this.route.query === "" && !this.isBusy
        ? html`<div class="card">
            ${emptyState(
              "What are you looking for?",
              "Type words, a file's name, part of a command, and narrow it down by who, where and when. Or begin with one of these, and change it:",
              this.#beginnings(),
            )}
          </div>`
        : nothing;
    }
    if (found.items.length === 0) {
      return html`<div class="card">
        ${emptyState(
          "Nothing found",
          html`Whole words are looked for; <code>*part*</code> finds characters within words. Or take
            something away. The sentences of audit events are not screens: they are searched apart.`,
          html`<a class="button" href=${searchPath(this.route.query, true)}
            >Look among all audit events</a
          >`,
        )}
      </div>`;
    }
    return html`${groupsOf(found.items).map((group) => this.#group(group))}
    ${
      found.cursor
        ? html`<div><button ?disabled=${this.isBusy} @click=${() => this.#more()}>Older hits</button></div>`
        : nothing
    }`;
  }

  /** What auditors ask most, each a search that can be changed. */
  #beginnings() {
    const searches: [label: string, path: string][] = [
      ["Who became root since yesterday", searchPath('"became root" after:yesterday', true)],
      ["What changed below /etc since yesterday", searchPath(CHANGES, true)],
      ["What failed today", searchPath("result:failure after:today", true)],
      ["“Permission denied” on screens", searchPath('"permission denied"')],
    ];
    return html`<p class="beginnings">
      ${searches.map(([label, path]) => html`<a href=${path}>${label}</a>`)}
    </p>`;
  }

  #group({ recording, hits }: Group) {
    const lines = hits.filter((hit) => hit.text !== null && hit.text !== undefined);
    return html`<section class="card">
      <header class="row">
        <h2>
          <a href=${recordingPath(recording.rec)}
            >${foreign(whoWords(recording))} on ${foreign(recording.host)}</a
          >
        </h2>
        <span class="muted">${instant(recording.started_unix_us)} · ${span(recording.duration_us)}</span>
        ${badge(stateSaying(recording))} ${badge(chainSaying(recording.chain))}
      </header>
      ${lines.map((hit) => hitLink(hit, this.route.query))}
    </section>`;
  }
}
