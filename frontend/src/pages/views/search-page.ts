/** Search over the screens of all recordings: lines with their context, newest first. */
import { css, html, nothing, type PropertyValues } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import type { Hit, Page, Recording } from "../api/types.ts";
import { counted } from "../format.ts";
import { hitLink, hitStyles } from "../parts/hit.ts";
import "../parts/query-box.ts";
import { PageElement } from "../parts/page.ts";
import { badge, emptyState, foreign, instant, problemBox, span } from "../parts/templates.ts";
import { navigate, type Route, recordingPath, searchPath } from "../router.ts";
import { chainSaying, stateSaying } from "../words.ts";

const PAGE_SIZE = 20;

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
      section.card {
        padding: 0;
        overflow: hidden;
      }
      header {
        padding: 0.65rem 1rem;
      }
      h2 {
        overflow-wrap: anywhere;
      }
      @media (max-width: 760px) {
        header {
          padding: 0.65rem 0.75rem;
        }
      }
    `,
  ];

  @property({ attribute: false }) route!: Extract<Route, { page: "search" }>;
  @state() private found: Page<Hit> | null = null;

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (!changed.has("route")) return;
    if (changed.get("route")?.query === this.route.query && this.found) return;
    this.found = null;
    if (this.route.query === "") this.problem = null;
    else void this.#more();
  }

  #more(): Promise<void> {
    return this.load(async (signal) => {
      const before = this.found;
      const next = await this.context.api.search(
        { q: this.route.query, cursor: before?.cursor ?? null, limit: PAGE_SIZE },
        signal,
      );
      this.found = { ...next, items: [...(before?.items ?? []), ...next.items] };
    });
  }

  override render() {
    const aboutQuery = this.problem?.isAboutQuery ? this.problem : null;
    return html`<div class="stack">
      <h1 tabindex="-1">Search</h1>
      <steno-query-box
        label="Search everything that was on a screen"
        placeholder='passwd user:avery, "permission denied", /err(or|no)/'
        .value=${this.route.query}
        .problem=${aboutQuery}
        @steno-query=${(event: CustomEvent<string>) => navigate(searchPath(event.detail))}
      ></steno-query-box>
      ${aboutQuery ? nothing : problemBox(this.problem)}
      <p class="muted" aria-live="polite">${this.#said()}</p>
      ${this.#results()}
    </div>`;
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
              "Type words, a file's name, part of a command, and narrow it down by who, where and when.",
            )}
          </div>`
        : nothing;
    }
    if (found.items.length === 0) {
      return html`<div class="card">
        ${emptyState(
          "Nothing found",
          html`Whole words are looked for; <code>*part*</code> finds characters within words. Or take
            something away.`,
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

  #group({ recording, hits }: Group) {
    const lines = hits.filter((hit) => hit.text !== null && hit.text !== undefined);
    return html`<section class="card">
      <header class="row">
        <h2>
          <a href=${recordingPath(recording.rec)}
            >${foreign(recording.user)} on ${foreign(recording.host)}</a
          >
        </h2>
        <span class="muted">${instant(recording.started_unix_us)} · ${span(recording.duration_us)}</span>
        ${badge(stateSaying(recording))} ${badge(chainSaying(recording.chain))}
      </header>
      ${lines.map((hit) => hitLink(hit, this.route.query))}
    </section>`;
  }
}
